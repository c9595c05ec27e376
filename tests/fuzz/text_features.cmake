dure_fuzz(text_features llm)
