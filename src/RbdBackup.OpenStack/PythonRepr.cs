using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace RbdBackup.OpenStack;

/// <summary>
/// Reads what Python's <c>str()</c> makes of a flat dictionary, as Cinder puts a snapshot's metadata into its notifications:
/// <c>{'a': 'b', "it's": None}</c>. Strict: what <c>repr</c> does not write is not read, and nothing is ever evaluated.
/// </summary>
public static class PythonRepr
{
    /// <summary>The longest text that is read, in characters: 128 keys and values of 255, every character escaped.</summary>
    public const int MaxLength = 1024 * 1024;

    /// <summary>
    /// Reads a dictionary; the empty string, which Cinder sends for no metadata, is an empty one. <c>None</c>, <c>True</c>, <c>False</c> and integers are
    /// kept as their text. False where it is null, too long, anything else than such a dictionary, or names a key twice.
    /// </summary>
    public static bool TryReadDictionary(string? text, [NotNullWhen(true)] out IReadOnlyDictionary<string, string>? dictionary)
    {
        dictionary = text switch
        {
            null or { Length: > MaxLength } => null,
            "" => new Dictionary<string, string>(),
            _ => new Cursor(text).Dictionary(),
        };
        return dictionary is not null;
    }

    private ref struct Cursor(ReadOnlySpan<char> text)
    {
        private static readonly SearchValues<char> WordEnds = SearchValues.Create(",}");
        private ReadOnlySpan<char> rest = text;

        public Dictionary<string, string>? Dictionary()
        {
            var read = new Dictionary<string, string>();
            if (!Take("{"))
            {
                return null;
            }

            if (Take("}"))
            {
                return rest.IsEmpty ? read : null;
            }

            do
            {
                if (String() is not { } key || !Take(": ") || Value() is not { } value || !read.TryAdd(key, value))
                {
                    return null;
                }
            }
            while (Take(", "));

            return Take("}") && rest.IsEmpty ? read : null;
        }

        private string? Value() => rest is ['\'' or '"', ..] ? String() : Word();

        private string? Word()
        {
            var end = rest.IndexOfAny(WordEnds);
            if (end <= 0)
            {
                return null;
            }

            var word = rest[..end];
            rest = rest[end..];
            return word is "None" or "True" or "False" || IsInteger(word) ? word.ToString() : null;
        }

        private static bool IsInteger(ReadOnlySpan<char> word)
        {
            var digits = word is ['-', ..] ? word[1..] : word;
            return digits.Length is > 0 and <= 20 && !digits.ContainsAnyExceptInRange('0', '9');
        }

        private string? String()
        {
            if (rest is not ['\'' or '"', ..])
            {
                return null;
            }

            var quote = rest[0];
            rest = rest[1..];
            var read = new StringBuilder();
            while (!rest.IsEmpty && rest[0] != quote)
            {
                var c = rest[0];
                rest = rest[1..];
                if (c == '\\' ? !Escape(read) : !Plain(c, read))
                {
                    return null;
                }
            }

            if (rest.IsEmpty)
            {
                return null;
            }

            rest = rest[1..];
            return read.ToString();
        }

        // repr escapes every control character; one that stands there in the plain was never written by it.
        private static bool Plain(char c, StringBuilder into)
        {
            into.Append(c);
            return !char.IsControl(c);
        }

        private bool Escape(StringBuilder into)
        {
            if (rest.IsEmpty)
            {
                return false;
            }

            var kind = rest[0];
            rest = rest[1..];
            switch (kind)
            {
                case '\\' or '\'' or '"': into.Append(kind); return true;
                case 'n': into.Append('\n'); return true;
                case 'r': into.Append('\r'); return true;
                case 't': into.Append('\t'); return true;
                case 'x': return Hexadecimal(2, into);
                case 'u': return Hexadecimal(4, into);
                case 'U': return Hexadecimal(8, into);
                default: return false;
            }
        }

        private bool Hexadecimal(int digits, StringBuilder into)
        {
            // A lone surrogate is no character, though Python can hold one: Rune refuses it.
            if (rest.Length < digits
                || !int.TryParse(rest[..digits], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code)
                || !Rune.IsValid(code))
            {
                return false;
            }

            rest = rest[digits..];
            into.Append(new Rune(code).ToString());
            return true;
        }

        private bool Take(string expected)
        {
            if (!rest.StartsWith(expected, StringComparison.Ordinal))
            {
                return false;
            }

            rest = rest[expected.Length..];
            return true;
        }
    }
}
