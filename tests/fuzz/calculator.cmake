dure_fuzz(calculator tools)
