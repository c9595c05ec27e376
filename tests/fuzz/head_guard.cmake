dure_fuzz(head_guard http)
