// The live page: takes ticks from the stream and shows them, filtered by what the address says.

import { ask, asked, linkTo } from "./address.js";
import { byId, say, show } from "./dom.js";
import { showAlerts } from "./alerts.js";
import { caseChanged, caseMissed, showCase } from "./case.js";
import { addPoint, drawCharts, loadCharts } from "./charts.js";
import { countDown, showClocks } from "./clocks.js";
import { count } from "./format.js";
import { showIndicators } from "./indicators.js";
import { showLedger } from "./ledger.js";
import { offerServices, showServices } from "./services.js";
import { showSlas } from "./slas.js";
import { showFreshness, showRefusedPolicy, showVerdict } from "./status.js";
import { Stream } from "./stream.js";

let tick = null;
let connection = { lost: false, silent: null };

function ofService(rows, service) {
  return service ? rows.filter((row) => row.labels.service === service) : rows;
}

function draw() {
  showFreshness(tick, connection);
  if (!tick) return;
  showRefusedPolicy(tick.policy.refused);
  const { service, window } = asked();
  const slas = ofService(tick.slas, service);
  const alerts = ofService(tick.alerts, service);
  showVerdict(tick, slas, alerts, service);
  showHidden(tick.slas.length - slas.length, tick.alerts, alerts);
  showAlerts(alerts);
  showSlas(slas);
  showClocks(ofService(tick.clocks_next, service), tick.now);
  offerServices(tick.services, service);
  showServices(service ? tick.services.filter((row) => row.service === service) : tick.services);
  const ofWindow = tick.indicators.filter((row) => row.window === window);
  showIndicators(ofWindow.filter((row) => (row.labels.service ?? "") === service));
  showLedger(tick);
  drawCharts(service);
  const from = tick.policy.effective_from ? `, in force since ${tick.policy.effective_from.slice(0, 10)}` : "";
  say(byId("policy"), `Policy ${tick.policy.name}${from}. Times in ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`);
}

/** A filter must not hide that something is wrong elsewhere. */
function showHidden(slas, every, shown) {
  const firing = every.length - shown.length && every.filter((a) => a.state === "firing" && !shown.includes(a)).length;
  show(byId("hidden"), slas > 0 || firing > 0);
  say(byId("hidden-what"), `Not shown, as of other services or of several: ${count(slas)} objectives, ${count(firing)} firing alerts.`);
  byId("hidden-all").href = linkTo({ service: "" });
}

function onTick(news) {
  tick = news;
  addPoint(tick.point);
  draw();
  caseMissed();
  document.body.dataset.tick = tick.tick;
}

function onAlert(alert) {
  if (tick) {
    tick.alerts = [alert, ...tick.alerts.filter((known) => known.id !== alert.id)];
    draw();
  }
  caseChanged(alert.case);
}

function onState(state) {
  connection = state;
  showFreshness(tick, connection);
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

new Stream({ onOpen: loadCharts, onTick, onAlert, onVerdict: (verdict) => caseChanged(verdict.case), onState }).open();
