complete --keep-order --exclusive --command dbdoctor --arguments "(DBDOCTOR_COMPLETE=fish dbdoctor -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
