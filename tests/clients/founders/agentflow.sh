curl -X POST http://localhost:8000/api/agent-builder/agentflows \
  -H "Authorization: Bearer $TOKEN" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "Customer Support Agent",
    "orchestration_type": "hierarchical",
    "supervisor_config": {
      "enabled": true,
      "llm_provider": "openai",
      "llm_model": "gpt-4"
    }
  }'
