dure_fuzz(whole_answer llm)
