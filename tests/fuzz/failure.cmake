dure_fuzz(failure llm)
