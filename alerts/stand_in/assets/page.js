"use strict";

const colours = ["#7a3e9d", "#b5521b", "#1f7a4d", "#2a5ea8", "#a3264f", "#5c6b0e"];
let shown = location.hash.slice(1);
let latest = null;
const read = {};

function textOf(item, users) {
  return item.type === "mrkdwn" ? mrkdwn(item.text, users) : plain(item.text);
}

function blockNode(block, message, channel, users) {
  if (block.type === "header") return made("div", "header", ...plain(block.text.text));
  if (block.type === "divider") return document.createElement("hr");
  if (block.type === "context") return made("div", "context", ...block.elements.flatMap((e) => textOf(e, users)));
  if (block.type === "image") return imageNode(block);
  if (block.type === "actions") return actionsNode(block, message, channel);
  const section = made("div", "section");
  if (block.text) section.append(...textOf(block.text, users));
  if (block.fields) section.append(made("div", "fields", ...block.fields.map((f) => made("div", "", ...textOf(f, users)))));
  return section;
}

function imageNode(block) {
  const image = made("img", "shot");
  image.alt = block.alt_text;
  image.src = block.slack_file ? "/files/" + encodeURIComponent(block.slack_file.id) : block.image_url;
  return image;
}

function actionsNode(block, message, channel) {
  return made("div", "actions", ...block.elements.map((element) => {
    if (element.type === "static_select") return selectNode(element, message, channel);
    const tag = element.url ? "a" : "button";
    const button = made(tag, element.style || "", decoded(element.text.text));
    if (element.url) { button.href = decoded(element.url); button.target = "_blank"; button.rel = "noreferrer"; }
    else button.onclick = () => {
      if (!element.confirm || confirm(decoded(element.confirm.title.text) + "\n\n" + decoded(element.confirm.text.text)))
        press(button, channel, message, element.action_id, element.value);
    };
    return button;
  }));
}

function selectNode(element, message, channel) {
  const select = document.createElement("select");
  select.setAttribute("aria-label", decoded(element.placeholder.text));
  select.append(new Option(decoded(element.placeholder.text), "", true, true));
  for (const option of element.options) select.append(new Option(decoded(option.text.text), option.value));
  select.onchange = () => press(select, channel, message, element.action_id, select.value);
  return select;
}

async function press(control, channel, message, action, value) {
  control.disabled = true;
  const body = JSON.stringify({ channel, ts: message.ts, action_id: action, value, user: "U0YOU" });
  try {
    const answer = await (await fetch("/click", { method: "POST", body })).json();
    toast(answer.ok ? "Sent, answered in " + Math.round(answer.seconds * 1000) + " ms" : "Nobody listens: " + (answer.error || answer.status));
  } catch { toast("The stand-in has stopped."); }
  setTimeout(() => { control.disabled = false; }, 1000);
}

function toast(text) {
  document.querySelector(".toast")?.remove();
  const note = made("div", "toast", text);
  note.setAttribute("role", "status");
  document.body.append(note);
  setTimeout(() => note.remove(), 4000);
}

function faceNode(user, name, bot) {
  const face = made("span", user === bot ? "face bot" : "face");
  face.setAttribute("aria-hidden", "true");
  if (user !== bot) {
    face.textContent = name.split(/\s+/).map((word) => word[0]).join("").slice(0, 2).toUpperCase();
    face.style.background = colours[[...user].reduce((sum, c) => sum + c.charCodeAt(0), 0) % colours.length];
  }
  return face;
}

function messageNode(message, replies, channel, state) {
  const name = state.users[message.user] || message.user;
  const when = new Date(parseFloat(message.ts) * 1000);
  const meta = made("div", "meta", made("strong", "", name));
  if (message.user === state.bot) meta.append(made("span", "app", "APP"));
  const time = made("time", "", when.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = when.toISOString();
  meta.append(time);
  if (message.edited) meta.append(made("span", "note", "(edited)"));
  if (message.subtype === "thread_broadcast") meta.append(made("span", "note", "also sent to the channel"));
  if (message.ephemeral_for) meta.append(made("span", "note private", "only visible to " + (state.users[message.ephemeral_for] || message.ephemeral_for)));
  const blocks = message.blocks.length
    ? message.blocks.map((block) => blockNode(block, message, channel, state.users))
    : [made("div", "section", ...mrkdwn(message.text, state.users))];
  const content = made("div", "", meta, made("div", "body", ...blocks));
  if (replies.length) {
    const thread = made("details", "thread", made("summary", "", replies.length + (replies.length === 1 ? " reply" : " replies")));
    thread.open = closed[message.ts] !== true;
    thread.ontoggle = () => { closed[message.ts] = !thread.open; };
    thread.append(...replies.map((reply) => messageNode(reply, [], channel, state)));
    content.append(thread);
  }
  const item = made(message.thread_ts && !replies.length ? "div" : "li", "message", faceNode(message.user, name, state.bot), content);
  item.id = "m" + message.ts;
  return item;
}

const closed = {};

function draw(state) {
  latest = state;
  if (!state.channels.some((channel) => channel.id === shown)) shown = state.channels[0]?.id || "";
  const list = document.getElementById("channels");
  list.replaceChildren(...state.channels.map((channel) => {
    const button = made("button", "", "# " + channel.name);
    const unread = channel.id === shown ? 0 : channel.messages.length - (read[channel.id] || 0);
    if (unread > 0) button.append(made("b", "", String(unread)));
    if (channel.id === shown) button.setAttribute("aria-current", "true");
    button.onclick = () => { shown = channel.id; location.hash = channel.id; draw(latest); };
    return made("li", "", button);
  }));
  const channel = state.channels.find((each) => each.id === shown);
  document.getElementById("title").textContent = channel ? "# " + channel.name : "No channel yet";
  const messages = channel ? channel.messages : [];
  if (channel) read[channel.id] = messages.length;
  const area = document.getElementById("messages");
  const atEnd = area.scrollHeight - area.scrollTop - area.clientHeight < 80;
  const roots = messages.filter((message) => !message.thread_ts);
  const nodes = [];
  let day = "";
  for (const message of roots) {
    const date = new Date(parseFloat(message.ts) * 1000).toLocaleDateString([], { weekday: "long", day: "numeric", month: "long" });
    if (date !== day) nodes.push(made("li", "day", date));
    day = date;
    nodes.push(messageNode(message, messages.filter((reply) => reply.thread_ts === message.ts), channel.id, state));
  }
  area.replaceChildren(...nodes);
  if (atEnd) area.scrollTop = area.scrollHeight;
  const unread = state.channels.reduce((sum, each) => sum + each.messages.length, 0);
  drawForm(state);
  document.title = (channel ? "#" + channel.name + " · " : "") + unread + " messages · Stand-in for Slack";
}

let waiting = false;
let again = false;

async function refresh() {
  if (waiting) { again = true; return; }
  waiting = true;
  try {
    const state = await (await fetch("/state.json")).json();
    // A choice that is being made must not vanish below the pointer.
    if (document.activeElement?.tagName !== "SELECT") draw(state);
  } finally {
    waiting = false;
    if (again) { again = false; refresh(); }
  }
}

draw(JSON.parse(document.getElementById("state").textContent));

const live = document.getElementById("live");
const events = new EventSource("/events");
events.onmessage = () => { live.textContent = "live"; live.className = "on"; refresh(); };
events.onerror = () => { live.textContent = "not connected"; live.className = ""; };
