// The connection: ticks as they come, and how long ago the last one came.

const SILENT_AFTER = 10_000; // milliseconds without any tick until we say so; ticks come once a second
const AGAIN_AFTER = 2_000;

export class Stream {
  constructor({ onOpen, onTick, onAlert, onVerdict, onState }) {
    Object.assign(this, { onOpen, onTick, onAlert, onVerdict, onState });
    this.received = null; // performance.now() of the last tick
    this.broken = false;
    this.last = ""; // id of the newest event
  }

  open() {
    const source = new EventSource(this.last ? `v1/stream?last_event_id=${encodeURIComponent(this.last)}` : "v1/stream");
    source.addEventListener("open", () => this.onOpen());
    source.addEventListener("tick", (message) => {
      this.last = message.lastEventId;
      this.received = performance.now();
      this.broken = false;
      this.report();
      this.onTick(JSON.parse(message.data));
    });
    source.addEventListener("alert", (message) => {
      this.last = message.lastEventId;
      this.onAlert(JSON.parse(message.data));
    });
    source.addEventListener("verdict", (message) => {
      this.last = message.lastEventId;
      this.onVerdict(JSON.parse(message.data));
    });
    source.addEventListener("error", () => {
      this.broken = true;
      // A browser gives up for good on an answer that is no stream, such as 503 while the server starts.
      if (source.readyState === EventSource.CLOSED) setTimeout(() => this.open(), AGAIN_AFTER);
      this.report();
    });
    if (!this.timer) this.timer = setInterval(() => this.report(), 1000);
  }

  report() {
    const silent = this.received === null ? null : performance.now() - this.received;
    this.onState({ lost: this.broken || (silent !== null && silent > SILENT_AFTER), silent });
  }
}
