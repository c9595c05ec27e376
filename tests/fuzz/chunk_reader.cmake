dure_fuzz(chunk_reader llm)
