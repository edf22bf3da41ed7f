"use strict";
(() => {
  const get = (id) => document.getElementById(id);
  const make = (name, text, ...children) => {
    const element = document.createElement(name);
    if (text) element.textContent = text;
    element.append(...children);
    return element;
  };
  const show = (value) => (value === undefined ? "" : JSON.stringify(value, null, 2));
  const say = (text, bad) => {
    get("status").textContent = text;
    get("status").className = bad ? "bad" : "";
  };

  async function post(body) {
    const headers = { "Content-Type": "application/json", Accept: "application/graphql-response+json, application/json" };
    const token = get("token").value.trim();
    if (token) headers.Authorization = "Bearer " + token;
    const response = await fetch(location.pathname, {
      method: "POST", headers, body: JSON.stringify(body), credentials: "omit", cache: "no-store", redirect: "error",
    });
    const text = await response.text();
    let content;
    try { content = JSON.parse(text); } catch { content = { errors: [{ message: text.slice(0, 500) || "no answer" }] }; }
    return { status: response.status, content };
  }

  function describe({ status, content }, took) {
    const errors = (content.errors || []).length;
    const told = errors ? `, ${errors} error${errors > 1 ? "s" : ""}` : "";
    say(`HTTP ${status}${told}, ${Math.round(took)} ms`, errors > 0);
  }

  async function run(event) {
    event.preventDefault();
    let variables = null;
    try {
      const text = get("variables").value.trim();
      variables = text ? JSON.parse(text) : null;
    } catch (error) {
      say("The variables are not JSON: " + error.message, true);
      get("variables").focus();
      return;
    }
    get("run").disabled = true;
    say("Asking…");
    const started = performance.now();
    try {
      const result = await post({ query: get("query").value, variables });
      const { extensions = {}, ...rest } = result.content;
      const { receipt, ...inquiry } = extensions.inquiry || {};
      get("answer").textContent = show(rest);
      get("inquiry").textContent = extensions.inquiry ? show(inquiry) : "";
      get("receipt").textContent = receipt || "";
      get("save").disabled = !receipt;
      get("save").dataset.name = "receipt-" + String(inquiry.id || "inquiry").replace(/[^\w-]/g, "") + ".txt";
      describe(result, performance.now() - started);
    } catch (error) {
      say("The gateway cannot be reached: " + error.message, true);
    } finally {
      get("run").disabled = false;
    }
  }

  const reference = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
  const introspection = `query Schema { __schema { directives { name description args { name description type { ${reference} } } }
    types { kind name description
      fields(includeDeprecated: true) { name description args { name description type { ${reference} } } type { ${reference} } }
      inputFields { name description type { ${reference} } }
      enumValues(includeDeprecated: true) { name description } possibleTypes { name } } } }`;

  const spell = (type) =>
    type.kind === "NON_NULL" ? spell(type.ofType) + "!" : type.kind === "LIST" ? `[${spell(type.ofType)}]` : type.name;
  const takes = (args) => (args && args.length ? `(${args.map((a) => `${a.name}: ${spell(a.type)}`).join(", ")})` : "");

  function entry(member) {
    const signature = member.name + takes(member.args) + (member.type ? ": " + spell(member.type) : "");
    const item = make("li", "", make("code", signature));
    if (member.description) item.append(make("p", member.description));
    return item;
  }

  function panel(title, description, members) {
    const details = make("details", "", make("summary", "", make("code", title)));
    if (description) details.append(make("p", description));
    if (members.length) details.append(make("ul", "", ...members.map(entry)));
    details.dataset.words = [title, ...members.map((m) => m.name)].join(" ").toLowerCase();
    return details;
  }

  async function explore() {
    say("Reading the schema…");
    const started = performance.now();
    try {
      const result = await post({ query: introspection });
      const schema = result.content.data && result.content.data.__schema;
      if (schema) {
        const types = schema.types.filter((type) => !type.name.startsWith("__"));
        const rank = (name) => ["Query", "Mutation"].indexOf(name) + 1 || 9;
        types.sort((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name));
        const panels = types.map((type) =>
          panel(type.name, type.description, type.fields || type.inputFields || type.enumValues || type.possibleTypes || []));
        panels.push(...schema.directives.map((d) => panel("@" + d.name, d.description, d.args)));
        if (panels.length) panels[0].open = true;
        get("schema").replaceChildren(...panels);
        get("filter").disabled = false;
      } else {
        get("answer").textContent = show(result.content);
      }
      describe(result, performance.now() - started);
    } catch (error) {
      say("The gateway cannot be reached: " + error.message, true);
    }
  }

  get("form").addEventListener("submit", run);
  get("explore").addEventListener("click", explore);
  get("query").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run(event);
  });
  get("variables").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) run(event);
  });
  get("filter").addEventListener("input", () => {
    const word = get("filter").value.trim().toLowerCase();
    for (const details of get("schema").children) details.hidden = !(details.dataset.words || "").includes(word);
  });
  get("save").addEventListener("click", () => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([get("receipt").textContent], { type: "text/plain" }));
    link.download = get("save").dataset.name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
})();
