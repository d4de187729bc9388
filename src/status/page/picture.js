// What is known: the agent's time and its topics.

/** A clock is set again when it is off by more: the `Date` header knows whole seconds only. */
const CLOCK_MS_MAX = 1000;

/** Ages are held against the agent's clock: the browser's may be anything. */
const clock = {
  ahead: null,
  now() {
    return performance.now() + (this.ahead ?? performance.timeOrigin);
  },
  /** From the `Date` of an answer, whose second is half over on average. */
  learn(date) {
    const heard = Date.parse(date) + 500;
    const off = Math.abs(heard - this.now());
    if (off > CLOCK_MS_MAX || this.ahead === null) this.ahead = heard - performance.now();
  },
  iso() {
    return new Date(this.now()).toISOString();
  },
};

const MEMBER = new RegExp(
  "^(source|channel_group|channel|endpoint|packaging_group|packaging_configuration|harvest_job" +
    "|alarm|sns/subscription)/([^/]+)(/health|/metrics)?$",
);

/** The agent's topics: each by its name below the prefix, and those of a kind by their id. */
const picture = {
  tag: null,
  prefix: "",
  topics: new Map(),
  kinds: new Map(),
  /** Lays an answer over what is known, or puts it in its place. */
  take(answer) {
    if (answer.whole) {
      this.topics.clear();
      this.kinds.clear();
    }
    this.tag = answer.tag;
    this.prefix = answer.prefix;
    for (const [name, payload] of Object.entries(answer.topics)) {
      const short = name.slice(answer.prefix.length);
      this.topics.set(short, payload);
      const [, kind, level, part = ""] = MEMBER.exec(short) ?? [];
      if (kind) this.members(kind + part).set(payload.id ?? level, payload);
    }
  },
  members(kind) {
    if (!this.kinds.has(kind)) this.kinds.set(kind, new Map());
    return this.kinds.get(kind);
  },
  /** The payload of a topic, or an empty one. */
  one(name) {
    return this.topics.get(name) ?? {};
  },
  of(kind, id) {
    return this.members(kind).get(id) ?? {};
  },
};
