// The live page: takes ticks from the stream and shows them, filtered by what the address says.

import { byId, say } from "./dom.js";
import { showAlerts } from "./alerts.js";
import { showCase } from "./case.js";
import { drawCharts } from "./charts.js";
import { countDown, showClocks } from "./clocks.js";
import { showIndicators } from "./indicators.js";
import { showLedger } from "./ledger.js";
import { offerServices, showServices } from "./services.js";
import { showSlas } from "./slas.js";
import { showConnection, showStaleness, showVerdict } from "./status.js";
import { Stream } from "./stream.js";

let tick = null;

/** What the address asks for: #service=billing&window=1d&case=… */
function asked() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  return { service: wanted.get("service") ?? "", window: wanted.get("window") ?? "1h", case: wanted.get("case") };
}

function ask(changes) {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const [name, value] of Object.entries(changes)) {
    if (value) wanted.set(name, value);
    else wanted.delete(name);
  }
  location.hash = wanted.toString();
}

function ofService(rows, service) {
  return service ? rows.filter((row) => row.labels.service === service) : rows;
}

function draw() {
  if (!tick) return;
  const { service, window } = asked();
  const slas = ofService(tick.slas, service);
  const alerts = ofService(tick.alerts, service);
  const services = service ? tick.services.filter((row) => row.service === service) : tick.services;
  const indicators = tick.indicators.filter((row) => (row.labels.service ?? "") === service);
  showVerdict(tick, slas, alerts);
  showStaleness(tick);
  showAlerts(alerts);
  showSlas(slas);
  showClocks(ofService(tick.clocks_next, service));
  offerServices(tick.services, service);
  showServices(services);
  showIndicators(indicators.filter((row) => row.window === window));
  showLedger(tick);
  drawCharts({ ...tick, services, indicators }, service);
  const from = tick.policy.effective_from ? `, in force since ${tick.policy.effective_from.slice(0, 10)}` : "";
  say(byId("policy"), `Policy ${tick.policy.name}${from}`);
}

function onAlert(alert) {
  if (!tick) return;
  tick.alerts = [alert, ...tick.alerts.filter((known) => known.id !== alert.id)];
  draw();
}

addEventListener("hashchange", () => {
  showCase(asked().case);
  byId("window").value = asked().window;
  draw();
});
byId("service").addEventListener("change", (event) => ask({ service: event.target.value }));
byId("window").addEventListener("change", (event) => ask({ window: event.target.value }));
byId("window").value = asked().window;
setInterval(countDown, 1000);
showCase(asked().case);

new Stream({
  onTick: (news) => {
    tick = news;
    document.body.dataset.tick = news.tick;
    draw();
  },
  onAlert,
  onState: (state) => showConnection(state, tick),
}).open();
