using System.Runtime.CompilerServices;

[assembly: InternalsVisibleTo("RbdBackup.Tests")]
