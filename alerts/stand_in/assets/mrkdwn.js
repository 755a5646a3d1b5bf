"use strict";
/* Slack's mrkdwn as DOM nodes. Only text nodes are made from message text: nothing can inject markup. */

const PATTERN = /(`[^`\n]+`)|<([^<>\n]+)>|(?<![\w*])\*(?=\S)([^*\n]+?)\*(?!\w)|(?<![\w_])_(?=\S)([^_\n]+?)_(?!\w)|(?<![\w~])~(?=\S)([^~\n]+?)~(?!\w)|(\n)/g;

function decoded(text) {
  return text.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

/* The coloured circles of a severity are drawn: not every machine has a font for them. */
const CIRCLES = { "\u{1F534}": "red", "\u{1F7E0}": "orange", "\u{1F7E1}": "yellow", "\u{1F7E2}": "green", "\u{1F535}": "blue", "\u26AA": "white" };

function plain(text) {
  return decoded(text).split(/([\u{1F534}\u{1F535}\u{1F7E0}-\u{1F7E2}\u26AA])/u).filter(Boolean).map((part) => {
    if (!CIRCLES[part]) return part;
    return made("span", "circle " + CIRCLES[part], part);
  });
}

function made(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function linked(inside, users) {
  const [target, label] = inside.split("|");
  if (target.startsWith("@")) return made("span", "mention", "@" + (users[target.slice(1)] || label || target.slice(1)));
  if (target.startsWith("!subteam^")) return made("span", "mention", "@" + (label || users[target.slice(9)] || target.slice(9)));
  if (target.startsWith("!")) return made("span", "mention", "@" + target.slice(1));
  if (target.startsWith("#")) return made("span", "mention", "#" + (label || target.slice(1)));
  if (!/^(https?:|mailto:)/.test(target)) return document.createTextNode(decoded(`<${inside}>`));
  const link = made("a", "", decoded(label || target));
  link.href = decoded(target);
  link.rel = "noreferrer";
  return link;
}

function mrkdwn(text, users) {
  const nodes = [];
  let from = 0;
  for (const match of text.matchAll(PATTERN)) {
    if (match.index > from) nodes.push(...plain(text.slice(from, match.index)));
    from = match.index + match[0].length;
    const [, code, link, bold, italic, struck] = match;
    if (code) nodes.push(made("code", "", decoded(code.slice(1, -1))));
    else if (link) nodes.push(linked(link, users));
    else if (bold) nodes.push(made("strong", "", ...mrkdwn(bold, users)));
    else if (italic) nodes.push(made("em", "", ...mrkdwn(italic, users)));
    else if (struck) nodes.push(made("s", "", ...mrkdwn(struck, users)));
    else nodes.push(document.createElement("br"));
  }
  if (from < text.length) nodes.push(...plain(text.slice(from)));
  return nodes;
}
