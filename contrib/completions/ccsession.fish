complete --keep-order --exclusive --command ccsession --arguments "(CCSESSION_COMPLETE=fish ccsession -- (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token))"
