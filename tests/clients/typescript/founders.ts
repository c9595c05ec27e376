// The founders' frontend examples as they wrote them; only the server, the credential and the ids are of this run.
import { Client } from "./client.js";
import { makeEventStoreAPI } from "./events.js";
import { makeExecutionsAPI } from "./executions.js";
import { makeFlowsAPI } from "./flows.js";

export function connect(baseUrl: string, token: string) {
  const client = new Client(baseUrl, token);
  return { client, flowsAPI: makeFlowsAPI(client), eventStoreAPI: makeEventStoreAPI(client), executionsAPI: makeExecutionsAPI(client) };
}
type Apis = ReturnType<typeof connect>;

export async function createAgentflow({ flowsAPI }: Apis) {
  const agentflow = await flowsAPI.createAgentflow({
    name: 'Customer Support Agent',
    description: 'Multi-agent customer support system',
    orchestration_type: 'hierarchical',
    supervisor_config: {
      enabled: true,
      llm_provider: 'openai',
      llm_model: 'gpt-4',
      max_iterations: 10,
      decision_strategy: 'llm_based',
    },
    tags: ['customer-support', 'production'],
  });
  return agentflow;
}

export async function createChatflow({ flowsAPI }: Apis) {
  const chatflow = await flowsAPI.createChatflow({
    name: 'FAQ Assistant',
    description: 'Answers frequently asked questions',
    chat_config: {
      llm_provider: 'openai',
      llm_model: 'gpt-3.5-turbo',
      system_prompt: 'You are a helpful FAQ assistant.',
      temperature: 0.7,
      max_tokens: 2000,
      streaming: true,
    },
    memory_config: {
      type: 'buffer',
      max_messages: 10,
    },
    rag_config: {
      enabled: true,
      knowledgebase_ids: ['kb-123'],
      retrieval_strategy: 'hybrid',
      top_k: 5,
    },
  });
  return chatflow;
}

export async function executeFlow({ flowsAPI }: Apis, id: string) {
  const execution = await flowsAPI.executeFlow(id, {
    message: 'How do I reset my password?',
    user_id: 'user-456',
  });
  return execution;
}

// What their hooks useFlows and useCreateAgentflow ask of the server.
export async function flowList({ flowsAPI }: Apis) {
  const data = await flowsAPI.getFlows({ is_active: true });
  const cards = data?.flows.map(flow => ({ key: flow.id, flow }));
  const created = await flowsAPI.createAgentflow({
    name: 'New Agentflow',
    orchestration_type: 'sequential',
  });
  return { cards, created };
}

export async function eventStore({ eventStoreAPI }: Apis, id: string, userId: string) {
  const events = await eventStoreAPI.getAggregateEvents(id);

  const historicalEvents = await eventStoreAPI.replayEvents(
    id,
    'Workflow',
    10
  );

  const auditLog = await eventStoreAPI.getAuditLog({
    userId,
    eventType: 'WorkflowCreated',
    fromDate: new Date('2024-01-01'),
    limit: 100,
  });
  return { events, historicalEvents, auditLog };
}
