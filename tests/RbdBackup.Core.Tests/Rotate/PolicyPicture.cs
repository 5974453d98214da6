using System.Text;

namespace RbdBackup.Core.Tests.Rotate;

/// <summary>Draws which points are there, day by day: a line for each night, a square for each point that is left after it.</summary>
internal static class PolicyPicture
{
    private const int Cell = 5;
    private const int Margin = 40;
    private const int Head = 46;

    /// <summary>An SVG with one panel a policy.</summary>
    /// <param name="policies">Each with its name and, for each night, each day's point: null where it is gone, true where it stands alone.</param>
    public static string Draw(IReadOnlyList<(string Name, List<IReadOnlyList<bool?>> Nights)> policies)
    {
        var (days, panel) = (policies[0].Nights.Count, (policies[0].Nights.Count * Cell) + Margin);
        var svg = new StringBuilder();
        Line(svg, $"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{panel * policies.Count}\" height=\"{(days * Cell) + Head + 24}\" font-family=\"sans-serif\" font-size=\"11\">");
        Line(svg, "<style>.a{fill:#1b6ca8}.d{fill:#8fc1e3}text{fill:#333}</style><rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>");
        foreach (var (n, (name, nights)) in policies.Index())
        {
            Line(svg, $"<g transform=\"translate({(n * panel) + 30},{Head})\"><text y=\"-28\" font-weight=\"bold\">{name}</text>");
            Line(svg, "<text y=\"-8\">a point of this day →</text><text transform=\"translate(-10,150) rotate(-90)\">← is left after this night</text>");
            foreach (var (night, points) in nights.Index())
            {
                foreach (var (day, alone) in points.Index().Where(p => p.Item is not null))
                {
                    Line(svg, $"<rect class=\"{(alone == true ? "a" : "d")}\" x=\"{day * Cell}\" y=\"{night * Cell}\" width=\"4\" height=\"4\"/>");
                }
            }

            Line(svg, "</g>");
        }

        Line(svg, $"<text x=\"30\" y=\"{(days * Cell) + Head + 16}\">dark: a full, or a point that was made independent; light: an increment that stands on the point before it</text></svg>");
        return svg.ToString();
    }

    private static void Line(StringBuilder svg, string text) => svg.Append(text).Append('\n');
}
