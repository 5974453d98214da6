using RbdBackup.Cli;

return await RbdBackupCommandLine.RunAsync(args, CliHost.OfProcess());
