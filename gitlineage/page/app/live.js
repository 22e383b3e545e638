// The page on live data: files are asked for when they are looked at, and new trials come by themselves.

const live = {
  known: new Map(),

  async files(places) {
    const { c } = app;
    const key = places.map((at) => c.label[at]).join("\n");
    if (!this.known.has(key)) {
      const query = places.map((at) => `id=${encodeURIComponent(c.label[at])}`).join("&");
      this.known.set(key, fetch(`files?${query}`).then((answer) => answer.json()).then((raw) => new Files(raw)));
    }
    return this.known.get(key);
  },

  listen() {
    const source = new EventSource("events");
    source.addEventListener("message", async (event) => {
      if (event.data !== "changed") return;
      this.known.clear();
      app.open(await (await fetch("rows")).json());
    });
  },
};
