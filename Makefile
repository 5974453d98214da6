# `make help` shows the targets. Logic is in scripts: tests/run, devstack/mini/mini, devstack/mini/demo, tests/bench.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build
.PHONY: build test soak demo bench format lint clean native install mini-up mini-down openstack test-openstack help
# Compiled ahead to machine code: each command begins its work 0.2 s earlier than with a compiler in it. The compiler's package is the SDK's choice, so
# what it adds to the lock files goes into others, which nobody keeps; all other packages were held to the real ones just before.
AHEAD := --runtime linux-$(if $(filter aarch64,$(shell uname -m)),arm64,x64) -p:PublishAot=true -p:NuGetLockFilePath=obj/ahead.lock.json -p:RestoreLockedMode=false
DOTNET := . tests/environment.sh && dotnet

build: ## build the command; it is at bin/rbdbackup
	@mkdir -p .build && echo 'int main(void) { return 0; }' | cc -x c -o .build/linked - 2>/dev/null || devstack/mini/mini install compiler
	@$(DOTNET) restore src/RbdBackup --locked-mode --verbosity quiet
	@$(DOTNET) publish src/RbdBackup --configuration Release $(AHEAD) --output .build/publish --nologo --verbosity quiet
	@mkdir -p bin && ln -sfn ../.build/publish/rbdbackup bin/rbdbackup
	@version=$$(bin/rbdbackup --version) && echo "bin/rbdbackup is version $$version"

test: ## run every test, against real servers that are started and stopped
	@tests/run

soak: ## 10,000 random histories, 1,000 rounds of everything at once (HISTORIES=N for another number, and a tenth of it), each bit of small repositories flipped
	@$(DOTNET) build tests/RbdBackup.Core.Tests --configuration Release --nologo --verbosity quiet -clp:NoSummary
	@$(DOTNET) test tests/RbdBackup.Core.Tests --configuration Release --no-build --nologo \
	    --environment RBDBACKUP_HISTORIES=$(or $(HISTORIES),10000) --environment RBDBACKUP_BIT_FLIPS=1 \
	    --filter "FullyQualifiedName~HistoryTests|FullyQualifiedName~ChaosTests|FullyQualifiedName~BitFlipTests"

demo: build ## show the whole way: notification, backup, increment, restore; then in a whole cloud, with a tenant's server
	@devstack/mini/demo
	@devstack/mini/demo-openstack

bench: build ## compare with rbd export-diff
	@tests/bench

native: ## build the C probes
	@cmake -S native -B .build/native >/dev/null
	@cmake --build .build/native >/dev/null

install: ## install the Debian packages that tests and demo need (as root, or through sudo)
	@devstack/mini/mini install

mini-up: ## start Ceph, RabbitMQ, radosgw, Keystone and Swift on this machine
	@devstack/mini/mini up

mini-down: ## stop them
	@devstack/mini/mini down

openstack: ## start OpenStack on this machine as well, and show that it works
	@devstack/mini/mini up openstack
	@devstack/mini/check-openstack

test-openstack: ## only the tests that need OpenStack
	@tests/run openstack

format: ## put the code into its form
	@$(DOTNET) format RbdBackup.sln

lint: ## check form, shell scripts and that lock files are up to date
	@$(DOTNET) restore RbdBackup.sln --locked-mode --verbosity quiet
	@$(DOTNET) format RbdBackup.sln --no-restore --verify-no-changes
	@if command -v shellcheck >/dev/null; then \
	    git ls-files -z | xargs -0 grep -lE '^#!(/usr/bin/env bash|/bin/sh|/bin/bash)' | xargs shellcheck -x; \
	else echo "shellcheck is not installed: shell scripts are not checked"; fi

clean: ## remove what was built; mini's data stays (devstack/mini/mini down --wipe)
	@rm -rf .build bin
	@find src tests -type d \( -name bin -o -name obj \) -prune -exec rm -rf {} +

help: ## show this
	@sed -nE 's/^([a-z-]+):.*## (.*)/  \1\t\2/p' Makefile | expand -t 14
