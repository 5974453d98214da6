using RbdBackup.Core.Model;
using RbdBackup.Core.Ports;
using RbdBackup.Core.Repository;

namespace RbdBackup.Core.Sealing;

/// <summary>
/// The right to make a new master key: said in the store before it is looked whether somebody else has said so, so that of two the second sees the first. A slot of
/// a second master key must not be there even for a moment: whoever reads the slots then would seal what nobody opens once it is taken back.
/// </summary>
internal sealed class RotationTurn : IAsyncDisposable
{
    // From here to the new slot there are two small objects to store. Who takes longer gives up; who died keeps the others waiting for no longer than that.
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(5), Over = TimeSpan.FromMinutes(15);
    private readonly PointRepository _repository;
    private readonly IObjectStore _store;
    private readonly DateTimeOffset _since;
    private readonly string _key;

    private RotationTurn(PointRepository repository, IObjectStore store)
    {
        (_repository, _store, _since) = (repository, store, repository.Now);
        _key = Keys.Rotating(_since, AttemptId.New());
    }

    /// <summary>Takes the turn.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Busy"/>: somebody else has it.</exception>
    public static async Task<RotationTurn> TakeAsync(PointRepository repository, IObjectStore store, CancellationToken cancel)
    {
        var turn = new RotationTurn(repository, store);
        try
        {
            await store.PutAsync(turn._key, new("{}"u8.ToArray()), cancel);
            await turn.LookAsync(cancel);
            return turn;
        }
        catch
        {
            await turn.DisposeAsync();
            throw;
        }
    }

    /// <summary>Makes sure that nobody can think by now that it was given up.</summary>
    /// <exception cref="RbdBackupException"><see cref="ErrorKind.Busy"/>: it took too long.</exception>
    public void Confirm()
    {
        if (_repository.Now - _since > Limit)
        {
            throw new RbdBackupException(ErrorKind.Busy, $"the store {_store.Url} took too long, so that somebody else may rotate the master key by now", "Nothing was changed: run it again.");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await _store.DeleteAsync(_key, CancellationToken.None);

    private async Task LookAsync(CancellationToken cancel)
    {
        await foreach (var stored in _store.ListAsync(Keys.KeysPrefix, cancel))
        {
            if (Keys.TryParseRotating(stored.Key) is not { } since || stored.Key == _key)
            {
                continue;
            }

            if (_repository.Now - since < Over)
            {
                throw new RbdBackupException(
                    ErrorKind.Busy, $"somebody else rotates the master key since {since:yyyy-MM-dd HH:mm zzz}, or died while it did",
                    $"Wait until that is done, or until {since + Over:HH:mm zzz}; 'rbdbackup key list' shows the generation.");
            }

            await _store.DeleteAsync(stored.Key, cancel);
        }
    }
}
