// Reads a server-sent event stream byte for byte as it stands, for tests of the framing itself.
export async function readEvents(response) {
  const text = await response.text();
  return { text, events: parseEvents(text) };
}

export function parseEvents(text) {
  return text
    .split("\n\n")
    .filter((block) => block.trim() !== "")
    .map((block) => {
      const event = { name: "message", data: [] };
      for (const line of block.split("\n")) {
        if (line.startsWith(":")) continue;
        const [field, ...rest] = line.split(":");
        const value = rest.join(":").replace(/^ /, "");
        if (field === "data") event.data.push(value);
        else if (field === "event") event.name = value;
        else event[field] = value;
      }
      return { ...event, data: event.data.join("\n") };
    });
}
