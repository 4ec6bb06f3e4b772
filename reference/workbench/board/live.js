// The board's page, live: what is posted appears at once, and posting loads no page.
// Without this script the page works as well: a form, and the posts of the moment.
"use strict";

const SHORTEST = 0.25, LONGEST = 15; // seconds between two attempts to connect
const SILENCE = 40; // seconds; the board says something every 15, so then the connection is dead
const MOST = 1000; // posts that we keep, as the board does

const form = document.querySelector("form");
const list = document.querySelector("#posts");
const state = document.querySelector("#state");
const said = document.querySelector("#said");

let board = list.dataset.board; // which board this is: one that starts anew counts from 1 again
let last = Number(list.dataset.last); // the number of the last post that is shown
let pause = SHORTEST;
let socket, watch, attempt;

// --- What comes ---

function show(post) {
  last = post.number;
  const item = document.createElement("li"), author = document.createElement("b");
  author.textContent = post.author; // text, never HTML: what people post is not trusted
  item.append(author, " ", post.text);
  list.append(item);
  if (list.children.length > MOST) list.firstElementChild.remove();
}

function hear(news) {
  if (news.board !== board) {
    board = news.board;
    last = 0;
    list.replaceChildren();
  }
  news.posts.forEach(show);
  const others = news.readers - 1;
  tell("live", others ? `Live, with ${others} other reader${others > 1 ? "s" : ""}.` : "Live.");
}

function tell(name, sentence) {
  document.body.dataset.state = name;
  state.textContent = sentence;
}

// --- The connection: one at a time; whatever ends it, we come back and ask for what we missed ---

function connect() {
  const address = new URL("live", document.baseURI); // relative: there may be a prefix before us
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  address.search = new URLSearchParams({ board, after: last });
  const mine = (socket = new WebSocket(address));
  listenFor(mine);
  mine.onmessage = ({ data }) => {
    if (mine !== socket) return;
    listenFor(mine);
    pause = SHORTEST; // not at its opening: who is closed at once must not come back at once
    hear(JSON.parse(data));
  };
  mine.onclose = () => lost(mine);
}

function listenFor(mine) {
  clearTimeout(watch);
  watch = setTimeout(() => lost(mine), SILENCE * 1000);
}

function lost(mine) {
  if (mine !== socket) return;
  socket = null;
  mine.close();
  clearTimeout(watch);
  const seconds = pause * (0.5 + Math.random()); // apart, or all come back in the same moment
  pause = Math.min(pause * 2, LONGEST);
  tell("offline", `Offline. Trying again ${seconds < 1 ? "at once" : `in ${seconds.toFixed()} s`}.`);
  attempt = setTimeout(connect, seconds * 1000);
}

function park() {
  clearTimeout(attempt);
  clearTimeout(watch);
  const mine = socket;
  socket = null;
  mine?.close();
}

function comeBack() {
  park();
  pause = SHORTEST;
  connect();
}

addEventListener("offline", () => socket && lost(socket));
addEventListener("online", comeBack);
// A browser may keep a page that one has left, with its connection, for when one goes back.
addEventListener("pagehide", park);
addEventListener("pageshow", ({ persisted }) => persisted && comeBack());

// --- Posting ---

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    said.textContent = await refusal(Object.fromEntries(new FormData(form)));
    if (!said.textContent) form.elements.text.value = ""; // the post itself comes with the feed
  } catch {
    said.textContent = "The board does not answer; your text is still here.";
  } finally {
    button.disabled = false;
  }
});

async function refusal(post) {
  const headers = { "Content-Type": "application/json" };
  const answer = await fetch(form.action, { method: "POST", headers, body: JSON.stringify(post) });
  if (answer.ok) return "";
  const { error } = await answer.json().catch(() => ({}));
  return error ?? `The board says ${answer.status}.`;
}

tell("connecting", "Connecting.");
connect();
