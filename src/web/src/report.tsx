// The report: one or several sessions in a file.
import { render } from "preact";
import { useMemo } from "preact/hooks";
import { readCalls } from "./calls.ts";
import { duration, iso, local } from "./time.ts";
import type { PageData, SessionPage } from "./types.ts";

function Session({ page }: { page: SessionPage }) {
  const calls = useMemo(() => readCalls(page.calls), [page]);
  return (
    <section>
      <h2>{page.title?.text ?? page.session_id}</h2>
      <p>
        {page.project?.name} {page.state} {page.branch}
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Start</th>
            <th scope="col">Tool</th>
            <th scope="col">What</th>
            <th scope="col">State</th>
            <th scope="col">Duration</th>
          </tr>
        </thead>
        <tbody>
          {calls.map((call) => (
            <tr key={call.index}>
              <td>
                <time dateTime={iso(call.started[0])}>{local(call.started[0])}</time>
              </td>
              <td>{call.tool}</td>
              <td>{call.what}</td>
              <td>{call.state}</td>
              <td>{call.duration === null ? "" : duration(call.duration)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Report({ data }: { data: PageData }) {
  return (
    <main>
      <h1>ccsession report</h1>
      {data.sessions.map((page) => (
        <Session key={page.session_id} page={page} />
      ))}
    </main>
  );
}

const data = JSON.parse(document.getElementById("data")!.textContent!) as PageData;
render(<Report data={data} />, document.getElementById("app")!);
