/** A tour of the API with a client that is generated from its description, as docs/clients.md explains. */

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Schemas = components["schemas"];

const api = createClient<paths>({ baseUrl: process.env.TODO_API_URL ?? "http://127.0.0.1:8000" });

// Every request has the access token, once there is one.
let tokens: Schemas["TokenPair"] | undefined;
api.use({
  onRequest({ request }) {
    if (tokens) request.headers.set("Authorization", `Bearer ${tokens.access}`);
  },
});

/** The data of a successful response. Errors become exceptions, with the text for people. */
async function ok<Data>(
  answer: Promise<{ data?: Data; error?: { error: { code: string; message: string } }; response: Response }>,
): Promise<Data> {
  const { data, error, response } = await answer;
  if (data === undefined) {
    throw new Error(error ? `${error.error.code}: ${error.error.message}` : `HTTP status ${response.status}`);
  }
  return data;
}

// Register, and sign in.

const login = { email: `ann-${crypto.randomUUID()}@example.com`, password: "correct horse battery" };
const user = await ok(api.POST("/api/v1/auth/register", { body: { ...login, name: "Ann" } }));
tokens = await ok(api.POST("/api/v1/auth/token", { body: login }));
console.log(`Signed in as ${user.name}`);

// A project, and tasks in it. With an Idempotency-Key, a request that is sent again creates nothing twice.

const project = await ok(
  api.POST("/api/v1/projects", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { name: "Garden", color: "#2e8b57" },
  }),
);
const watering = await ok(
  api.POST("/api/v1/tasks", {
    body: {
      title: "Water the tomatoes",
      project: project.id,
      add_labels: [{ name: "outside" }],
      due_date: "2027-05-03",
      repeat: { rule: "FREQ=WEEKLY;BYDAY=MO,TH" },
    },
  }),
);
for (const title of ["Sow carrots", "Mow the lawn", "Clean the pond", "Prune the roses"]) {
  await ok(api.POST("/api/v1/tasks", { body: { title, project: project.id, priority: 1 } }));
}
console.log(`${watering.title}, due on ${watering.due_date}, repeats by ${watering.repeat?.rule}`);

// A list has pages. Each has the cursor of the next one.

const tasks: Schemas["Task"][] = [];
let cursor: string | undefined;
do {
  const page: Schemas["PaginatedTaskList"] = await ok(
    api.GET("/api/v1/tasks", { params: { query: { project: project.id, ordering: "title", limit: 2, cursor } } }),
  );
  tasks.push(...page.results);
  cursor = page.next_cursor ?? undefined;
} while (cursor);
console.log(`Tasks: ${tasks.map((task) => task.title).join(", ")}`);

// Update a task only if nobody has changed it since it was read.

function rename(task: Schemas["Task"], title: string) {
  return api.PATCH("/api/v1/tasks/{id}", {
    params: { path: { id: task.id }, header: { "If-Match": `"${task.version}"` } },
    body: { title },
  });
}

await ok(rename(watering, "Water the tomatoes and beans"));
// With the version from before that update.
const { error } = await rename(watering, "Water the beans");
if (error?.error.code !== "PRECONDITION_FAILED") throw new Error("The update was not rejected.");
const { current } = error.error.details;
console.log(`Not renamed, because it is now "${current.title}"`);
await ok(rename(current, "Water the beans and tomatoes"));

// Several changes in one request: all of them happen, or none.

const deletions: Schemas["OperationRequest"][] = tasks.slice(0, 2).map((task) => ({ op: "delete", id: task.id }));
const { results } = await ok(
  api.POST("/api/v1/bulk", {
    body: {
      operations: [
        { op: "create", data: { title: "Buy seeds", priority: 3, add_labels: [{ name: "shop" }] } },
        { op: "complete", id: watering.id },
        ...deletions,
      ],
    },
  }),
);
console.log(`Changed: ${results.map((change) => change.kind).join(", ")}`);

// Keep a copy of everything: follow the feed to its end, and later go on from there.

type Entry = Exclude<Schemas["Change"], Schemas["Tombstone"]>;
const copy = new Map<string, Entry>();
let since = "0";
async function sync() {
  for (let hasMore = true; hasMore; ) {
    const page = await ok(api.GET("/api/v1/sync", { params: { query: { since, limit: 5 } } }));
    for (const change of page.changes) {
      if ("purged" in change) copy.delete(change.id);
      else copy.set(change.id, change);
    }
    since = page.since;
    hasMore = page.has_more;
  }
}

await sync();
const open = [...copy.values()].filter((each) => each.kind === "task" && !each.completed && !each.deleted_at);
console.log(`The copy has ${copy.size} objects, of which ${open.length} are open tasks`);

// After 15 minutes the access token expires, and the refresh token gets the next pair. docs/signing-in.md has the code
// for a browser, in which several tabs may refresh at once.

tokens = await ok(api.POST("/api/v1/auth/token/refresh", { body: { refresh: tokens.refresh } }));
console.log(`Refreshed for ${tokens.expires_in} seconds`);

// Sign out: the session of the token ends immediately.

await ok(api.POST("/api/v1/auth/logout"));
const { error: unauthorized } = await api.GET("/api/v1/me");
console.log(`After signing out: ${unauthorized?.error.code}`);

// Delete the account and everything in it.

tokens = await ok(api.POST("/api/v1/auth/token", { body: login }));
await ok(api.DELETE("/api/v1/me", { body: { password: login.password } }));
console.log("Deleted the account");
