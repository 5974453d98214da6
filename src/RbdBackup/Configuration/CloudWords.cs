namespace RbdBackup.Configuration;

/// <summary>What says how to log in to a cloud outside of our own files, by the names of section [keystone].</summary>
/// <param name="Origin">Where it stands, for people.</param>
/// <param name="Options">Values of options of [keystone].</param>
internal sealed record CloudWords(string Origin, IReadOnlyDictionary<string, string> Options)
{
    private static readonly string[] Domains = ["user_domain_id", "project_domain_id"];

    /// <summary>Those names that differ from ours, and what they are with us. Where both stand there, ours counts.</summary>
    private static readonly (string Theirs, string Ours)[] OtherNames =
    [
        ("user_name", "username"), ("tenant_name", "project_name"), ("tenant_id", "project_id"), ("cacert", "cafile"),
        ("interface", "valid_interfaces"), ("endpoint_type", "valid_interfaces"),
    ];

    /// <summary>Takes the words of clouds.yaml, or of OS_* variables in small letters and without OS_.</summary>
    /// <param name="origin">Where they stand.</param>
    /// <param name="words">Name and value; what is not known is left out, as other programs have words of their own.</param>
    /// <exception cref="FormatException">They ask for something that we don't do; the message says what.</exception>
    public static CloudWords Of(string origin, IReadOnlyDictionary<string, string> words)
    {
        var options = words.Where(word => word.Value.Length > 0).ToDictionary();
        foreach (var (theirs, ours) in OtherNames.Where(name => options.ContainsKey(name.Theirs)))
        {
            options.TryAdd(ours, options[theirs]);
        }
        if (options.TryGetValue("default_domain", out var domain))
        {
            foreach (var option in Domains.Where(option => !options.ContainsKey(option.Replace("_id", "_name", StringComparison.Ordinal))))
            {
                options.TryAdd(option, domain);
            }
        }
        Check(origin, options);
        options.TryAdd("auth_type", options.ContainsKey("application_credential_id") || options.ContainsKey("application_credential_name") ? "v3applicationcredential" : "password");
        // Those who wrote it know it with this default, which is not that of [keystone].
        var chosen = options.GetValueOrDefault("valid_interfaces", "public");
        options["valid_interfaces"] = chosen.EndsWith("URL", StringComparison.Ordinal) ? chosen[..^3] : chosen;
        var known = OptionCatalog.Of<KeystoneSettings>();
        return new CloudWords(origin, options.Where(option => option.Key != "cloud" && known.Find(option.Key) is not null).ToDictionary());
    }

    private static void Check(string origin, Dictionary<string, string> options)
    {
        if (!IsTrue(options.GetValueOrDefault("verify", "true")) || IsTrue(options.GetValueOrDefault("insecure", "false")))
        {
            throw new FormatException($"{origin}: certificates are always checked; give the authority's as cacert, and leave verify or insecure out");
        }
        if (options.TryGetValue("auth_type", out var type) && type is not ("password" or "v3password" or "v3applicationcredential"))
        {
            throw new FormatException($"{origin}: auth_type '{type}' is none of ours: password, v3password, v3applicationcredential");
        }
        if (options.TryGetValue("identity_api_version", out var version) && !version.StartsWith('3'))
        {
            throw new FormatException($"{origin}: identity_api_version is {version}; only the third is supported");
        }
        if (!options.ContainsKey("auth_url"))
        {
            throw new FormatException($"{origin}: there is no auth_url{(options.ContainsKey("profile") ? "; profiles are not read" : "")}");
        }
    }

    private static bool IsTrue(string text) => text.ToUpperInvariant() is "TRUE" or "YES" or "ON" or "1";
}
