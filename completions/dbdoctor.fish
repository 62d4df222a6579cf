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
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -s V -l version -d 'Print version'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "check" -d 'Run every stage over one connection and name the first that fails'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "config" -d 'Show which settings are in force and where each came from, without any network'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "dns" -d 'Check name resolution: what applications get beside what each name server says'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "tcp" -d 'Check reachability of every address'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "key" -d 'Check SSH private keys: format, permissions, passphrase'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "tunnel" -d 'Check the SSH session and the forward to the database'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "tls" -d 'Check the TLS handshake and the certificates'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "auth" -d 'Check start-up, authentication, authorisation and capacity'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "idle" -d 'Find out who drops connections that are left alone, and what prevents it'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "stress" -d 'Try many times: how often it fails, why, and how long it takes'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "sockets" -d 'Find database connections that several processes hold after a fork (Linux)'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "explain" -d 'Explain a cause code, an error text, or a whole log'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "diff" -d 'Compare two JSON reports: what explains that their verdicts differ'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "completions" -d 'Print the completions of a shell'
complete -c dbdoctor -n "__fish_dbdoctor_needs_command" -f -a "man" -d 'Print the manual page of dbdoctor or of one of its commands'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l url -d 'The same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, and hide the environment\'s' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-database -d 'Fail unless the database that answers has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-role -d 'Fail unless the server is a primary or a standby' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l not-host -d 'Fail if a host, or an SSH server on the way, matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again before connecting with the addresses and names that DNS gives; a name that the far end of a tunnel resolves is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l idle -d 'At the end, leave connections alone for up to this long, and see which are dropped' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l wait -d 'Look again until it passes, for up to this long; what does not heal ends it at once' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s W -l password -d 'Ask for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s w -l no-password -d 'Never ask for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l expect-writable -d 'Fail unless this session may write: no standby, and not read-only'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -l second-opinion -d 'Repeat the SSH and TLS steps with independent client stacks, and say where they differ'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand check" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l url -d 'The same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, and hide the environment\'s' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-database -d 'Fail unless the database that answers has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-role -d 'Fail unless the server is a primary or a standby' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l not-host -d 'Fail if a host, or an SSH server on the way, matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again before connecting with the addresses and names that DNS gives; a name that the far end of a tunnel resolves is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s W -l password -d 'Ask for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s w -l no-password -d 'Never ask for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l expect-writable -d 'Fail unless this session may write: no standby, and not read-only'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand config" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l url -d 'The same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, and hide the environment\'s' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-database -d 'Fail unless the database that answers has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-role -d 'Fail unless the server is a primary or a standby' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l not-host -d 'Fail if a host, or an SSH server on the way, matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again before connecting with the addresses and names that DNS gives; a name that the far end of a tunnel resolves is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l wait -d 'Look again until it passes, for up to this long; what does not heal ends it at once' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s W -l password -d 'Ask for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s w -l no-password -d 'Never ask for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l expect-writable -d 'Fail unless this session may write: no standby, and not read-only'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand dns" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l url -d 'The same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, and hide the environment\'s' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-database -d 'Fail unless the database that answers has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-role -d 'Fail unless the server is a primary or a standby' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l not-host -d 'Fail if a host, or an SSH server on the way, matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again before connecting with the addresses and names that DNS gives; a name that the far end of a tunnel resolves is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l wait -d 'Look again until it passes, for up to this long; what does not heal ends it at once' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s W -l password -d 'Ask for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s w -l no-password -d 'Never ask for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l expect-writable -d 'Fail unless this session may write: no standby, and not read-only'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tcp" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand key" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l url -d 'The same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, and hide the environment\'s' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-database -d 'Fail unless the database that answers has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-role -d 'Fail unless the server is a primary or a standby' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l not-host -d 'Fail if a host, or an SSH server on the way, matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again before connecting with the addresses and names that DNS gives; a name that the far end of a tunnel resolves is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l listen -d 'Hold the proven tunnel open on this local port (0 chooses one) until Ctrl-C' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l wait -d 'Look again until it passes, for up to this long; what does not heal ends it at once' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s W -l password -d 'Ask for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s w -l no-password -d 'Never ask for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l expect-writable -d 'Fail unless this session may write: no standby, and not read-only'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -l second-opinion -d 'Repeat the SSH and TLS steps with independent client stacks, and say where they differ'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tunnel" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l url -d 'The same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, and hide the environment\'s' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-database -d 'Fail unless the database that answers has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-role -d 'Fail unless the server is a primary or a standby' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l not-host -d 'Fail if a host, or an SSH server on the way, matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again before connecting with the addresses and names that DNS gives; a name that the far end of a tunnel resolves is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l wait -d 'Look again until it passes, for up to this long; what does not heal ends it at once' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s W -l password -d 'Ask for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s w -l no-password -d 'Never ask for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l expect-writable -d 'Fail unless this session may write: no standby, and not read-only'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -l second-opinion -d 'Repeat the SSH and TLS steps with independent client stacks, and say where they differ'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand tls" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l url -d 'The same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, and hide the environment\'s' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-database -d 'Fail unless the database that answers has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-role -d 'Fail unless the server is a primary or a standby' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l not-host -d 'Fail if a host, or an SSH server on the way, matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again before connecting with the addresses and names that DNS gives; a name that the far end of a tunnel resolves is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l wait -d 'Look again until it passes, for up to this long; what does not heal ends it at once' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s W -l password -d 'Ask for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s w -l no-password -d 'Never ask for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l expect-writable -d 'Fail unless this session may write: no standby, and not read-only'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -l second-opinion -d 'Repeat the SSH and TLS steps with independent client stacks, and say where they differ'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand auth" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l url -d 'The same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, and hide the environment\'s' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-database -d 'Fail unless the database that answers has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-role -d 'Fail unless the server is a primary or a standby' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l not-host -d 'Fail if a host, or an SSH server on the way, matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again before connecting with the addresses and names that DNS gives; a name that the far end of a tunnel resolves is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l for -d 'The longest time a connection is left alone' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l keepalive-interval -d 'The time between TCP keepalives, and between heartbeats [default: 30s, or a sixth of --for]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l wait -d 'Look again until it passes, for up to this long; what does not heal ends it at once' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s W -l password -d 'Ask for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s w -l no-password -d 'Never ask for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l expect-writable -d 'Fail unless this session may write: no standby, and not read-only'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -l in-transaction -d 'Hold a transaction open meanwhile'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand idle" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l url -d 'The same as TARGET' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s h -l host -d 'Database server host or socket directory' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s p -l port -d 'Database server port' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s U -l username -d 'Database user name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s d -l dbname -d 'Database name, or a URI or connection string' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l env-file -d 'Read DATABASE_URL and PG* from a dotenv file, and hide the environment\'s' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh -d 'Go through this SSH server; repeat it, or separate by commas, for jumps' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh-key -d 'Offer this private key too' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh-config -d 'Read this instead of ~/.ssh/config' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh-known-hosts -d 'Read this instead of ~/.ssh/known_hosts' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l ssh-host-key-check -d 'What to do about an unknown host key [default: the SSH configuration\'s, else yes]' -r -f -a "yes\t'Only a known key is accepted'
accept-new\t'An unknown key is accepted (and not written down), a changed one is not'
no\t'Any key is accepted; with a changed one only public keys are offered'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-database -d 'Fail unless the database that answers has this name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-role -d 'Fail unless the server is a primary or a standby' -r -f -a "primary\t'It takes writes'
standby\t'It is in recovery'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-server-version -d 'Fail unless the server has this major version' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-cluster-name -d 'Fail unless the server has this cluster_name' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l not-host -d 'Fail if a host, or an SSH server on the way, matches: a name with * and ?, an address, a network (10.0.0.0/8) or a socket directory. Checked before anything is sent, and again before connecting with the addresses and names that DNS gives; a name that the far end of a tunnel resolves is compared only as written. May be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l attempts -d 'How many attempts, at most 10000' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l concurrency -d 'How many of them at once, at most 64' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l rate -d 'How many begin in a second, at most [default: as many as --concurrency lets through]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s W -l password -d 'Ask for the password before connecting'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s w -l no-password -d 'Never ask for a password'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l expect-writable -d 'Fail unless this session may write: no standby, and not read-only'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand stress" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l pid -d 'Look only at this process and those that descend from it; may be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l port -d 'The database\'s port, in place of 5432 and the one that the environment names; may be repeated' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l timeout -d 'The time of each stage, per address [default: connect_timeout where set, else 5s]' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l deadline -d 'The time of the whole run' -r
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand sockets" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l list -d 'List every code'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand explain" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l format -d 'The form of the report' -r -f -a "table\t'For people'
json\t'For programs'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -s o -l output -d 'Also write the JSON report to this file, with mode 0600 where it is new' -r -F
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l color -d 'When to use colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t'Always'
never\t'Never'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l fail-on -d 'Which verdict makes the exit status 1' -r -f -a "warn\t'Warnings too'
fail\t'Failures only'"
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -l json -d 'Short for --format json'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -s q -l quiet -d 'Print the verdict alone'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -s v -l verbose -d 'Add evidence and the details of what passed'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand diff" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand completions" -s ? -l help -d 'Print help'
complete -c dbdoctor -n "__fish_dbdoctor_using_subcommand man" -s ? -l help -d 'Print help'
