_dbdoctor() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        COMPREPLY+=("$candidate")
    done < <(DBDOCTOR_COMPLETE=bash _DBDOCTOR_LINE="${COMP_LINE:0:COMP_POINT}" _DBDOCTOR_PIECE="$2" \
        dbdoctor -- "${COMP_WORDS[@]}" 2>/dev/null)
    # A value, or the rest of a path, comes right after these.
    case "${COMPREPLY[0]-}" in
        *[=/,]) compopt -o nospace 2>/dev/null ;;
    esac
}
complete -o bashdefault -F _dbdoctor dbdoctor
