using System.Globalization;

namespace RbdBackup.OpenStack.Cloud;

/// <summary>A version of a service's interface, such as <c>2.93</c>. It is no decimal number: 2.100 comes after 2.93.</summary>
/// <param name="Major">Before the dot.</param>
/// <param name="Minor">Behind it.</param>
internal readonly record struct Microversion(int Major, int Minor) : IComparable<Microversion>
{
    /// <summary>Reads <c>MAJOR.MINOR</c>; false where it is none.</summary>
    public static bool TryParse(string? text, out Microversion version)
    {
        version = default;
        if (text?.Split('.') is not [var major, var minor]
            || !int.TryParse(major, NumberStyles.None, CultureInfo.InvariantCulture, out var before)
            || !int.TryParse(minor, NumberStyles.None, CultureInfo.InvariantCulture, out var behind))
        {
            return false;
        }
        version = new Microversion(before, behind);
        return true;
    }

    /// <summary>The version to speak with a service that knows those from <paramref name="min"/> to <paramref name="max"/>: the newest that we know too.</summary>
    /// <param name="floor">The oldest that has what we need.</param>
    /// <param name="newest">The newest that we know.</param>
    /// <param name="min">The oldest that the service knows.</param>
    /// <param name="max">The newest that it knows.</param>
    /// <returns>Null where there is none.</returns>
    public static Microversion? Negotiate(Microversion floor, Microversion newest, Microversion min, Microversion max)
    {
        var best = max.CompareTo(newest) < 0 ? max : newest;
        return best.CompareTo(floor) >= 0 && best.CompareTo(min) >= 0 ? best : null;
    }

    /// <inheritdoc/>
    public int CompareTo(Microversion other) => (Major, Minor).CompareTo((other.Major, other.Minor));

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}.{Minor}");
}
