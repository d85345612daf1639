import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.js";
import { routeOf } from "./router.js";
import { SessionProvider } from "./session/hooks.js";
import { Session, ticketIn } from "./session/session.js";
import "@xyflow/react/dist/base.css";
import "./styles/index.css";

const session = new Session(window.sessionStorage);

/** Takes a ticket out of the address, so that it is neither copied nor remembered with it. */
function takeTicket(): void {
  const { pathname, search, hash } = window.location;
  const ticket = ticketIn(hash);
  if (ticket === null) return;
  window.history.replaceState(null, "", pathname + search);
  const route = routeOf(pathname, search);
  if (route.page === "execution") session.keepTicket(route.executionId, ticket);
}

takeTicket();
// A new link for the execution that is shown: the browser does not load the page again.
window.addEventListener("hashchange", takeTicket);

const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <SessionProvider value={session}>
        <App />
      </SessionProvider>
    </StrictMode>,
  );
}
