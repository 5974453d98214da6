# shellcheck shell=bash
# What .NET needs of an environment, for every script and make target: a home that can be written, quiet tools, no servers that stay behind.

if [[ ! -w ${HOME:-/nonexistent} ]]; then
    HOME=$(getent passwd "$(id -u)" | cut -d: -f6 || true)
    if [[ ! -w ${HOME:-/nonexistent} ]]; then HOME=$PWD/.build/home; fi
    mkdir -p "$HOME"
    export HOME
fi
export DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1 DOTNET_CLI_UI_LANGUAGE=en
# A build server that outlives the build holds the standard output of whoever waits for it to end.
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 UseSharedCompilation=false
