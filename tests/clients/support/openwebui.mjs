// What Open WebUI sends: its headers, its built-in tools, the default templates of its background tasks.
export const origin = { accept: "*/*", "accept-encoding": "gzip, deflate, br", "user-agent": "Python/3.11 aiohttp/3.13.2" };

export const headers = ({ chat, message = "", userMessage = "", parent = "", task = "" }) => ({
  ...origin,
  "X-OpenWebUI-User-Name": "%EA%B9%80 %EC%B2%A0%EC%88%98",
  "X-OpenWebUI-User-Id": "8d9b2b8e-6f3a-4b5c-9d0e-1f2a3b4c5d6e",
  "X-OpenWebUI-User-Email": "kim@example.org",
  "X-OpenWebUI-User-Role": "user",
  "X-OpenWebUI-Chat-Id": chat,
  "X-OpenWebUI-Message-Id": message,
  "X-OpenWebUI-User-Message-Id": userMessage,
  "X-OpenWebUI-User-Message-Parent-Id": parent,
  "X-OpenWebUI-Task": task,
});

const tool = (name, description, properties = {}, required = []) => ({
  type: "function", function: { name, description, parameters: { type: "object", properties, required } },
});

export const builtinTools = [
  tool("get_current_timestamp", "Get the current Unix timestamp in seconds."),
  tool("calculate_timestamp", "Get the current Unix timestamp, optionally adjusted by days, weeks, months, or years.", {
    days_ago: { type: "integer", default: 0 }, weeks_ago: { type: "integer", default: 0 },
  }),
  tool("search_memories", "Search the user's stored memories.", { query: { type: "string" }, count: { type: "integer", default: 5 } }, ["query"]),
  tool("search_chats", "Search the user's previous chat conversations by title and message content.", { query: { type: "string" } }, ["query"]),
  tool("view_chat", "Get the full conversation history of a chat by its ID.", { chat_id: { type: "string" } }, ["chat_id"]),
];

const history = (messages) =>
  `<chat_history>\n${messages.map((one) => `${one.role.toUpperCase()}: ${one.content}`).join("\n")}\n</chat_history>`;

// name -> {request fields, the key the caller reads}
export const tasks = {
  title_generation: {
    reads: "title", max_tokens: 1000,
    prompt: (messages) => `### Task:
Generate a concise title of 3-5 words with an emoji, summarizing the chat history.
### Guidelines:
- The title should clearly represent the main theme or subject of the conversation.
- Use emojis that enhance understanding of the topic, but avoid quotation marks or special formatting.
- Write the title in the chat's primary language; default to English if multilingual.
- Your entire response must consist solely of the JSON object, without any introductory or concluding text.
### Output:
JSON format: { "title": "your concise title here" }
### Examples:
- { "title": "📉 Stock Market Trends" },
- { "title": "🍪 Perfect Chocolate Chip Recipe" }
### Chat History:
${history(messages)}`,
  },
  tags_generation: {
    reads: "tags",
    prompt: (messages) => `### Task:
Generate 1-3 broad tags categorizing the main themes of the chat history, along with 1-3 more specific subtopic tags.

### Guidelines:
- Start with high-level domains (e.g. Science, Technology, Philosophy, Arts, Politics, Business, Health, Sports, Entertainment, Education)
- If content is too short (less than 3 messages) or too diverse, use only ["General"]
- Use the chat's primary language; default to English if multilingual

### Output:
JSON format: { "tags": ["tag1", "tag2", "tag3"] }

### Chat History:
${history(messages)}`,
  },
  follow_up_generation: {
    reads: "follow_ups",
    prompt: (messages) => `### Task:
Suggest 3-5 relevant follow-up questions or prompts that the user might naturally ask next in this conversation as a **user**, based on the chat history, to help continue or deepen the discussion.
### Guidelines:
- Write all follow-up questions from the user's point of view, directed to the assistant.
- Make questions concise, clear, and directly related to the discussed topic(s).
- Response must be a JSON array of strings, no extra text or formatting.
### Output:
JSON format: { "follow_ups": ["Question 1?", "Question 2?", "Question 3?"] }
### Chat History:
${history(messages)}`,
  },
  query_generation: {
    reads: "queries",
    prompt: (messages) => `### Task:
Analyze the chat history to determine the necessity of generating search queries, in the given language. By default, **prioritize generating 1-3 broad and relevant search queries** unless it is absolutely certain that no additional information is required.

### Guidelines:
- Respond **EXCLUSIVELY** with a JSON object. Any form of extra commentary, explanation, or additional text is strictly prohibited.

### Output:
Strictly return in JSON format:
{
  "queries": ["query1", "query2"]
}

### Chat History:
${history(messages)}`,
  },
  autocomplete_generation: {
    reads: "text",
    prompt: (messages) => `### Task:
You are an autocompletion system. Continue the text in \`<text>\` based on the **completion type** in \`<type>\` and the given language.

### **Instructions**:
1. Analyze \`<text>\` for context and meaning.
2. Use \`<type>\` to guide your output.
### **Output Rules**:
- Respond only in JSON format: { "text": "<your_completion>" }.
### Context:
${history(messages)}
<type>search query</type>
<text>오늘 서울</text>
#### Output:`,
  },
  emoji_generation: {
    max_tokens: 4,
    prompt: () => `Your task is to reflect the speaker's likely facial expression through a fitting emoji. Interpret emotions from the message and reflect their facial expression using fitting, diverse emojis (e.g., 😊, 😢, 😡, 😱).

Message: """정말 기뻐요!"""`,
  },
};

export const taskRequest = (name, model, messages) => {
  const { prompt, max_tokens } = tasks[name];
  return { model, messages: [{ role: "user", content: prompt(messages) }], stream: false, ...(max_tokens ? { max_tokens } : {}) };
};

// Callers cut from the first { to the last } and read that.
export const cutJson = (text) => JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1));
