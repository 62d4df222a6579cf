
set edit:completion:arg-completer[dbdoctor] = { |@words|
    var index = (count $words)
    set index = (- $index 1)

    put (env _CLAP_IFS="\n" _CLAP_COMPLETE_INDEX=(to-string $index) DBDOCTOR_COMPLETE="elvish" dbdoctor -- $@words) | to-lines
}

