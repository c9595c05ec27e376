// eventStoreAPI as the founders' frontend calls it.
import type { Client, Schemas } from "./client.js";
import type { operations } from "./openapi.js";

type AggregateType = Exclude<Exclude<operations["replayAggregate"]["parameters"]["query"], undefined>["aggregate_type"], undefined>;
export interface AuditFilter {
  userId?: string;
  eventType?: string;
  fromDate?: Date;
  toDate?: Date;
  limit?: number;
}

export const makeEventStoreAPI = (client: Client) => ({
  getAggregateEvents: async (id: string): Promise<Schemas["Event"][]> =>
    (await client.request("get", "/api/events/aggregate/{id}", { path: { id } })).body.events,
  replayEvents: async (id: string, aggregate_type: AggregateType, to_version?: number): Promise<Schemas["ReplayedState"]> =>
    (await client.request("get", "/api/events/replay/{id}", {
      path: { id }, query: { aggregate_type, ...(to_version === undefined ? {} : { to_version }) },
    })).body,
  getAuditLog: async ({ userId, eventType, fromDate, toDate, limit }: AuditFilter): Promise<Schemas["AuditPage"]> =>
    (await client.request("get", "/api/events/audit", {
      query: {
        ...(userId === undefined ? {} : { user_id: userId }), ...(eventType === undefined ? {} : { event_type: eventType }),
        ...(fromDate === undefined ? {} : { from_date: fromDate.toISOString() }),
        ...(toDate === undefined ? {} : { to_date: toDate.toISOString() }), ...(limit === undefined ? {} : { limit }),
      },
    })).body,
});
