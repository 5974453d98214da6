using System.Text.Json.Nodes;

namespace RbdBackup.Http.Keystone;

/// <summary>The body of a login, in the words of Keystone's API.</summary>
internal static class KeystoneRequest
{
    /// <summary>The whole body.</summary>
    public static JsonObject Of(KeystoneOptions options) => new()
    {
        ["auth"] = options.ApplicationCredentialSecret is { } secret
            ? new JsonObject { ["identity"] = Identity("application_credential", ApplicationCredential(options, secret)) }
            : new JsonObject
            {
                ["identity"] = Identity("password", new JsonObject { ["user"] = User(options, options.Password) }),
                ["scope"] = new JsonObject
                {
                    ["project"] = Named(options.ProjectId, options.ProjectName, options.ProjectDomainId, options.ProjectDomainName),
                },
            },
    };

    /// <summary>Who logs in, for an error.</summary>
    public static string Describe(KeystoneOptions options) => options switch
    {
        { ApplicationCredentialSecret: not null } => $"the application credential '{options.ApplicationCredentialId ?? options.ApplicationCredentialName}'",
        _ => $"the user '{options.UserId ?? options.Username}' in the project '{options.ProjectId ?? options.ProjectName}'",
    };

    private static JsonObject Identity(string method, JsonObject proof) => new() { ["methods"] = new JsonArray(method), [method] = proof };

    private static JsonObject ApplicationCredential(KeystoneOptions options, string secret)
    {
        var credential = new JsonObject { ["secret"] = secret };
        if (options.ApplicationCredentialId is { } id)
        {
            credential["id"] = id;
        }
        else
        {
            credential["name"] = options.ApplicationCredentialName;
            credential["user"] = User(options, null);
        }
        return credential;
    }

    private static JsonObject User(KeystoneOptions options, string? password)
    {
        var user = Named(options.UserId, options.Username, options.UserDomainId, options.UserDomainName);
        if (password is not null)
        {
            user["password"] = password;
        }
        return user;
    }

    /// <summary>An id says all; a name needs its domain.</summary>
    private static JsonObject Named(string? id, string? name, string? domainId, string? domainName) => id is not null
        ? new JsonObject { ["id"] = id }
        : new JsonObject
        {
            ["name"] = name,
            ["domain"] = domainId is null && domainName is not null ? new JsonObject { ["name"] = domainName } : new JsonObject { ["id"] = domainId ?? "default" },
        };
}
