// The connection: ticks as they come, and how long ago the last one came.

const SILENT_AFTER = 5000; // milliseconds without any tick until we say so

export class Stream {
  constructor({ onTick, onAlert, onState }) {
    this.onTick = onTick;
    this.onAlert = onAlert;
    this.onState = onState;
    this.received = null; // performance.now() of the last tick
    this.broken = false;
  }

  open() {
    const source = new EventSource("v1/stream");
    source.addEventListener("tick", (message) => {
      this.received = performance.now();
      this.broken = false;
      this.onTick(JSON.parse(message.data));
    });
    source.addEventListener("alert", (message) => this.onAlert(JSON.parse(message.data)));
    source.addEventListener("error", () => {
      this.broken = true;
      // A browser gives up for good on an answer that is no stream, such as 503 while the server starts.
      if (source.readyState === EventSource.CLOSED) {
        source.close();
        setTimeout(() => this.open(), 2000);
      }
      this.report();
    });
    if (!this.timer) this.timer = setInterval(() => this.report(), 1000);
  }

  report() {
    const silent = this.received === null ? null : performance.now() - this.received;
    this.onState({ lost: this.broken || (silent !== null && silent > SILENT_AFTER), silent });
  }
}
