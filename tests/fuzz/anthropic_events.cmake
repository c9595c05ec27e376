dure_fuzz(anthropic_events llm)
