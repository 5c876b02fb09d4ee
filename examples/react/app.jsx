// A member page on the bridge's BFF: sign in, see the own record, change the name, sign out.
// There is no token in this file, and none ever reaches it: the browser holds a cookie, and
// `bridge()` is all that talks to the bridge.
import { StrictMode, useCallback, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { texts } from "./texts.js";

const config = await (await fetch("/config.json")).json();
const SHOWN = ["mobile", "email", "birth_date"];
const EDITED = ["family_name", "given_name"];
const t = texts(navigator.language);
document.documentElement.lang = t.lang;
document.title = t.title;

/** One call. `X-CSRF` is what a form on another site can't send; the cookie goes along. */
function bridge(path, { method = "GET", json, headers = {} } = {}) {
  return fetch(`${config.bridge}/bff${path}`, {
    method,
    credentials: "include",
    headers: {
      "X-CSRF": "1",
      ...(json && { "Content-Type": "application/json" }),
      ...headers,
    },
    body: json && JSON.stringify(json),
  });
}

/** Signing in is a navigation: the bridge's own page asks for the password, then comes back. */
function signIn() {
  const query = new URLSearchParams({
    client_id: config.client_id,
    return_to: config.return_to,
    ui_locales: t.lang,
  });
  location.assign(`${config.bridge}/bff/login?${query}`);
}

/** Waits for an operation that the CRM hasn't done yet: its code, or "pending" if it takes long. */
async function outcome(operation) {
  for (let tries = 0; tries < 12; tries++) {
    const answer = await bridge(operation, { headers: { Prefer: "wait=5" } });
    const { status } = answer.ok ? await answer.json() : { status: "unknown" };
    if (status !== "pending") return status;
    await new Promise((done) => setTimeout(done, 1000));
  }
  return "pending";
}

function App() {
  const [member, setMember] = useState(null); // {record, etag}; null while nobody is signed in
  const [phase, setPhase] = useState("loading"); // loading | out | in | trouble

  const load = useCallback(async () => {
    try {
      const session = await (await bridge("/session")).json();
      if (!session.signed_in) return setPhase("out");
      const answer = await bridge(`/api/me?fields=${[...EDITED, ...SHOWN]}`);
      if (answer.status === 401) return setPhase("out");
      if (!answer.ok) return setPhase("trouble");
      setMember({ record: await answer.json(), etag: answer.headers.get("ETag") });
      setPhase("in");
    } catch {
      setPhase("trouble");
    }
  }, []);
  useEffect(() => void load(), [load]);

  const signOut = async () => {
    await bridge("/logout", { method: "POST" });
    setMember(null);
    setPhase("out");
  };

  const failed = new URLSearchParams(location.search).get("bff_error");
  return (
    <main>
      <h1>{t.title}</h1>
      {failed && <p role="alert">{t.failed}</p>}
      {phase === "loading" && <p role="status">{t.loading}</p>}
      {phase === "trouble" && <p role="alert">{t.trouble}</p>}
      {phase === "out" && (
        <button className="primary" onClick={signIn}>
          {t.sign_in}
        </button>
      )}
      {phase === "in" && (
        <>
          <Profile record={member.record} />
          <Edit key={member.etag} member={member} reload={load} leave={() => setPhase("out")} />
          <button onClick={signOut}>{t.sign_out}</button>
        </>
      )}
    </main>
  );
}

function Profile({ record }) {
  return (
    <dl>
      {SHOWN.map((name) => (
        <div key={name}>
          <dt>{t[name]}</dt>
          <dd>{record[name] ?? "—"}</dd>
        </div>
      ))}
    </dl>
  );
}

/** The name, on top of the ETag that was read. What the CRM refuses is told at its field. */
function Edit({ member, reload, leave }) {
  const [values, setValues] = useState(() =>
    Object.fromEntries(EDITED.map((name) => [name, member.record[name] ?? ""])),
  );
  const [state, setState] = useState("ready"); // ready | saving | waiting | one of t.said
  const [wrong, setWrong] = useState({});
  const busy = state === "saving" || state === "waiting";

  async function save(event) {
    event.preventDefault();
    setWrong({});
    setState("saving");
    const answer = await bridge("/api/me", {
      method: "PATCH",
      json: values,
      headers: {
        "If-Match": member.etag,
        "Idempotency-Key": crypto.randomUUID(),
        Prefer: "wait=2", // then show that it is on its way, instead of a page that stands still
      },
    }).catch(() => ({ status: 503 }));
    if (answer.status === 401) return leave();
    if (answer.status === 202) return wait(answer.headers.get("Location"));
    if (answer.status === 204) return done("saved");
    if (answer.status === 412) return done("stale");
    if (answer.status === 422) {
      const { errors = [] } = await answer.json();
      setWrong(Object.fromEntries(errors.map((each) => [each.pointer.slice(1), t.wrong])));
    }
    setState(answer.status === 422 ? "refused" : "later");
  }

  /** The change is accepted and can't be lost; the CRM just hasn't confirmed it yet. */
  async function wait(location) {
    setState("waiting");
    const status = await outcome(location.replace(/^.*\/bff/, ""));
    if (status === "pending") return setState("later");
    return done(status === "applied" ? "saved" : status === "stale" ? "stale" : "refused");
  }

  /** The record is read again: the new ETag makes this form anew, so the word goes by the URL. */
  function done(word) {
    history.replaceState(word, "", location.pathname);
    return reload();
  }

  useEffect(() => {
    if (history.state in t.said) setState(history.state);
    history.replaceState(null, "", location.pathname);
  }, []);

  return (
    <form onSubmit={save}>
      {EDITED.map((name) => (
        <label key={name}>
          {t[name]}
          <input
            name={name}
            value={values[name]}
            disabled={busy}
            aria-invalid={name in wrong}
            onChange={(event) => setValues({ ...values, [name]: event.target.value })}
          />
          {wrong[name] && <span className="wrong">{wrong[name]}</span>}
        </label>
      ))}
      <button className="primary" disabled={busy}>
        {t.save}
      </button>
      <p role="status">{t.said[state] ?? ""}</p>
    </form>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <App />
  </StrictMode>,
);
