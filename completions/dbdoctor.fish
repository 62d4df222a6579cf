# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_dbdoctor_global_optspecs
    string join \n ?/help V/version
end

function __fish_dbdoctor_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_dbdoctor_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_dbdoctor_using_subcommand
    set -l cmd (__fish_dbdoctor_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -s V -l version -d 'Print the version; with -v, also how it was built'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "check" -d 'Run every stage over one connection and report the first failure'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "config" -d 'Show which settings are in effect and where each comes from (no network)'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "dns" -d 'Check name resolution: the system resolver and each name server'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "tcp" -d 'Check that every address accepts connections'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "key" -d 'Check SSH private keys: format, permissions, passphrase'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "tunnel" -d 'Check the SSH session and the forward to the database'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "tls" -d 'Check the TLS handshake and the certificates'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "auth" -d 'Check startup, authentication, authorisation and capacity'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "idle" -d 'Find what drops idle connections, and how to prevent it'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "stress" -d 'Connect many times: how often it fails, why, and how long it takes'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "tap" -d 'Forward an application\'s connections and show what it really sends'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "sockets" -d 'Find database connections shared by several processes after a fork (Linux)'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "explain" -d 'Explain a cause code, an error message or a whole log'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "diff" -d 'Compare two JSON reports and show what explains the different verdicts'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "completions" -d 'Print completions for a shell'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "man" -d 'Print the manual page of dbdoctor or of one of its commands'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "schema" -d 'Print the JSON Schema of the reports, or of what explain or diff prints'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l warn-cert-days -d 'Warn if a certificate expires in less than this many days; 0 never warns [default: 30]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l fail-cert-days -d 'Fail if a certificate expires in less than this many days' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l warn-latency -d 'Warn if the connection takes longer than this, from the first lookup to the login' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l as -d 'Judge as this driver does, not as psql: node-postgres, pgjdbc@42.7, tokio-postgres/rustls, or all' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l pid -d 'Look from where this process stands: its environment, files, network, user and driver (Linux)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l idle -d 'At the end, keep connections idle for up to this long and report which are dropped' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l wait -d 'Retry for up to this long; stop at once on a failure that retrying cannot fix' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l second-opinion -d 'Repeat the SSH and TLS steps with other client libraries and report where they differ'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l warn-cert-days -d 'Warn if a certificate expires in less than this many days; 0 never warns [default: 30]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l fail-cert-days -d 'Fail if a certificate expires in less than this many days' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l warn-latency -d 'Warn if the connection takes longer than this, from the first lookup to the login' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l as -d 'Judge as this driver does, not as psql: node-postgres, pgjdbc@42.7, tokio-postgres/rustls, or all' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l pid -d 'Look from where this process stands: its environment, files, network, user and driver (Linux)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l warn-cert-days -d 'Warn if a certificate expires in less than this many days; 0 never warns [default: 30]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l fail-cert-days -d 'Fail if a certificate expires in less than this many days' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l warn-latency -d 'Warn if the connection takes longer than this, from the first lookup to the login' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l as -d 'Judge as this driver does, not as psql: node-postgres, pgjdbc@42.7, tokio-postgres/rustls, or all' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l pid -d 'Look from where this process stands: its environment, files, network, user and driver (Linux)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l wait -d 'Retry for up to this long; stop at once on a failure that retrying cannot fix' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l warn-cert-days -d 'Warn if a certificate expires in less than this many days; 0 never warns [default: 30]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l fail-cert-days -d 'Fail if a certificate expires in less than this many days' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l warn-latency -d 'Warn if the connection takes longer than this, from the first lookup to the login' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l as -d 'Judge as this driver does, not as psql: node-postgres, pgjdbc@42.7, tokio-postgres/rustls, or all' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l pid -d 'Look from where this process stands: its environment, files, network, user and driver (Linux)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l wait -d 'Retry for up to this long; stop at once on a failure that retrying cannot fix' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l repair -d 'Write a repaired copy of the damaged key in PATH to this new file, with mode 0600' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l warn-cert-days -d 'Warn if a certificate expires in less than this many days; 0 never warns [default: 30]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l fail-cert-days -d 'Fail if a certificate expires in less than this many days' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l warn-latency -d 'Warn if the connection takes longer than this, from the first lookup to the login' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l listen -d 'Keep the tunnel open on this local port until Ctrl-C (0 picks a free port)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l wait -d 'Retry for up to this long; stop at once on a failure that retrying cannot fix' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l second-opinion -d 'Repeat the SSH and TLS steps with other client libraries and report where they differ'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l warn-cert-days -d 'Warn if a certificate expires in less than this many days; 0 never warns [default: 30]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l fail-cert-days -d 'Fail if a certificate expires in less than this many days' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l warn-latency -d 'Warn if the connection takes longer than this, from the first lookup to the login' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l as -d 'Judge as this driver does, not as psql: node-postgres, pgjdbc@42.7, tokio-postgres/rustls, or all' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l pid -d 'Look from where this process stands: its environment, files, network, user and driver (Linux)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l wait -d 'Retry for up to this long; stop at once on a failure that retrying cannot fix' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l second-opinion -d 'Repeat the SSH and TLS steps with other client libraries and report where they differ'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l warn-cert-days -d 'Warn if a certificate expires in less than this many days; 0 never warns [default: 30]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l fail-cert-days -d 'Fail if a certificate expires in less than this many days' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l warn-latency -d 'Warn if the connection takes longer than this, from the first lookup to the login' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l as -d 'Judge as this driver does, not as psql: node-postgres, pgjdbc@42.7, tokio-postgres/rustls, or all' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l pid -d 'Look from where this process stands: its environment, files, network, user and driver (Linux)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l wait -d 'Retry for up to this long; stop at once on a failure that retrying cannot fix' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l second-opinion -d 'Repeat the SSH and TLS steps with other client libraries and report where they differ'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l warn-cert-days -d 'Warn if a certificate expires in less than this many days; 0 never warns [default: 30]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l fail-cert-days -d 'Fail if a certificate expires in less than this many days' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l warn-latency -d 'Warn if the connection takes longer than this, from the first lookup to the login' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l for -d 'Longest idle time to test' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l keepalive-interval -d 'Interval of TCP keepalives and of heartbeat queries [default: 30s, or a sixth of --for]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l wait -d 'Retry for up to this long; stop at once on a failure that retrying cannot fix' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l in-transaction -d 'Keep a transaction open while idle'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l warn-cert-days -d 'Warn if a certificate expires in less than this many days; 0 never warns [default: 30]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l fail-cert-days -d 'Fail if a certificate expires in less than this many days' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l warn-latency -d 'Warn if the connection takes longer than this, from the first lookup to the login' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l as -d 'Judge as this driver does, not as psql: node-postgres, pgjdbc@42.7, tokio-postgres/rustls, or all' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l pid -d 'Look from where this process stands: its environment, files, network, user and driver (Linux)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l attempts -d 'Number of attempts (1 to 10000)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l concurrency -d 'Number of attempts at a time (1 to 64)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l rate -d 'Start at most this many attempts per second [default: limited by --concurrency only]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l url -d 'Same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, ignoring those in the environment' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l ssh -d 'Connect through this SSH server; for several hops, repeat it or separate by commas' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l ssh-key -d 'Also offer this private key; may be repeated' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l ssh-config -d 'Use this file instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l ssh-known-hosts -d 'Use this file instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l ssh-host-key-check -d 'How to treat an unknown host key [default: as the SSH configuration says, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l expect-database -d 'Fail unless the database has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l expect-role -d 'Fail unless the server has this role' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l not-host -d 'Fail if a database host or SSH hop matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again with the addresses and names from DNS before connecting; a name that is resolved at the far end of a tunnel is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l listen -d 'Listen on this local port; point the application at it (0 picks a free port)' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l for -d 'End after this time [default: at Ctrl-C]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l connections -d 'End after this many connections' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l tls -d 'What the stand-in offers: a self-signed certificate for another name, none (no TLS), each in turn, or a PEM FILE with certificate chain and private key' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s W -l password -d 'Prompt for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s w -l no-password -d 'Never prompt for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l expect-writable -d 'Fail unless the session can write (not a standby, not read-only)'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s v -l verbose -d 'Also print all evidence and the details of each stage'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -l stand-in -d 'Contact no target: answer as a server up to the login, to find out what the client does'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tap" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l pid -d 'Check only this process and its descendants; may be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l port -d 'Database port; may be repeated [default: the port set in the environment, 5432, 5433, 6432, 6543, and any unix socket of PostgreSQL]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l timeout -d 'Timeout for each stage, per address [default: connect_timeout if set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l deadline -d 'Time limit for the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l list -d 'List all codes'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l format -d 'Output format' -r -f -a "table\t'For people'
json\t'For programs'
markdown\t'For an issue or a step summary'
junit\t'For a CI system\'s list of tests'
github\t'Annotations of a GitHub workflow, and its step summary'
nagios\t'A monitoring plug-in\'s line and exit status'
prometheus\t'Metrics for the node exporter\'s textfile collector'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -s o -l output -d 'Also write the JSON report to this file (a new file gets mode 0600); with --format prometheus, write the metrics to it instead of standard output (mode 0644)' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l redact-salt -d 'Derive the pseudonyms from this text, so that redacted reports can be compared; implies --redact' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l fail-on -d 'Lowest verdict that makes the exit status 1' -r -f -a "warn\t'Failures and warnings'
fail\t'Only failures'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -s q -l quiet -d 'Print only the verdict'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -s v -l verbose -d 'Also print all evidence and the details of each stage; twice: what was sent and received, and when'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l redact -d 'Replace the names of hosts, addresses, users, databases and files by pseudonyms (host-1), for a public bug report'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand completions" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand man" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand schema" -s ? -l help -d 'Print help'
