// The value chart in the browser: zoom, a cursor that reads days out, and keys. It is laid over the drawing of the
// server, which stays as it is when anything here fails. Figures are read out as the server wrote them; floats are
// for pixels alone.

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const DAY_MS = 86_400_000;
const TICKS_MAX = 6;
const LABEL_APART = 0.065;
// the boxes of series/plot.html, in parts of the whole
const TOP = 0.05, FIELD = 0.78, SIDE = 0.16, STRIP = 0.86, STRIP_HEIGHT = 0.04;

const source = document.getElementById("series-data");
const box = document.querySelector(".plot-value");
const readout = document.querySelector("#value-chart .readout");

if (source && box && readout && window.uPlot) {
  const drawn = new DrawnChart(JSON.parse(source.textContent));
  drawn.begin();
}

function DrawnChart(data) {
  const firstMs = Date.parse(`${data.first}T00:00:00Z`);
  const last = data.told.length - 1;
  const usual = readout.textContent;
  const lines = [["value", "value"], ["average_7d", "7-day"], ["average_30d", "30-day"]];
  const worst = data.truncation_low ? ["truncation_low", "truncation_high"] : [];
  const columns = [...lines.map(([field]) => field), ...worst].map((field) => data[field].map(pixels));
  const missing = data.value.flatMap((digits, day) => (digits === null ? [day] : []));
  let chart = null;
  let cursor = null;
  let step = 1;

  this.begin = () => {
    if (!draw()) return;
    box.tabIndex = 0;
    box.setAttribute("role", "application");
    box.setAttribute("aria-roledescription", "chart");
    box.setAttribute("aria-label", "Value over time: left and right move a day, Page Up and Page Down a month, Home, End");
    box.addEventListener("keydown", onKey);
    box.addEventListener("focus", () => moveTo(cursor ?? last));
    box.addEventListener("blur", leave);
    new ResizeObserver(resize).observe(box);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  };

  function draw() {
    try {
      chart?.destroy();
      chart = new uPlot(options(), [data.told.map((_, day) => day), ...columns], box);
      box.classList.add("live");
      return true;
    } catch (error) {
      box.querySelector(".uplot")?.remove();
      box.classList.remove("live");
      chart = null;
      console.error(error);
      return false;
    }
  }

  function resize() {
    const { width, height } = size();
    if (!chart || (chart.width === width && chart.height === height)) return;
    chart.setSize({ width, height });
    if (document.activeElement === box) moveTo(cursor ?? last);
  }

  function size() {
    return { width: box.clientWidth, height: box.clientHeight };
  }

  function options() {
    const look = getComputedStyle(document.documentElement);
    const colour = (name) => look.getPropertyValue(`--${name}`).trim();
    const font = `12px ${getComputedStyle(box).fontFamily}`;
    const { width, height } = size();
    const series = [
      { stroke: colour("accent"), width: 1.5 },
      { stroke: colour("mix"), width: 1.3, dash: [5, 3] },
      { stroke: colour("entry"), width: 1.3, dash: [1.5, 3] },
      ...worst.map(() => ({ stroke: "transparent", width: 0 })),
    ].map((one, place) => ({ ...one, points: { show: place < 3, size: 4, width: 0, fill: one.stroke, filter: alone } }));
    return {
      width,
      height,
      padding: [() => box.clientHeight * TOP, () => box.clientWidth * SIDE, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: true, y: false, dist: 5 }, points: { size: 7 } },
      scales: { x: { time: false, range: reach }, y: { range: (_, low, high) => rounded(low, high) } },
      series: [{}, ...series],
      bands: worst.length ? [{ series: [5, 4], fill: faint(colour("accent")) }] : [],
      axes: [
        {
          size: () => box.clientHeight * (1 - TOP - FIELD),
          gap: () => 0,
          font,
          stroke: "transparent",
          grid: { show: false },
          ticks: { show: false },
          splits: (_, axis, low, high) => dayTicks(low, high),
        },
        {
          size: 0,
          grid: { stroke: colour("hairline"), width: 1 },
          ticks: { show: false },
          splits: (_, axis, low, high) => valueTicks(low, high),
          values: (_, splits) => splits.map(() => ""),
        },
      ],
      hooks: {
        drawClear: [(u) => drawGaps(u, colour("hairline"))],
        draw: [(u) => drawWords(u, colour, font)],
        setCursor: [(u) => readOut(u.cursor.idx)],
      },
    };
  }

  // ---- scales

  function reach(_, low, high) {
    return low <= 0 && high >= last ? [-0.5, last + 0.5] : [low, high];
  }

  function rounded(low, high) {
    if (low === null || high === null) [low, high] = [0, 1];
    if (low === high) {
      const margin = Math.abs(low) / 20 || 1;
      [low, high] = [low - margin, high + margin];
    }
    const least = (high - low) / 4;
    const power = 10 ** Math.floor(Math.log10(least));
    step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= least * (1 - 1e-9));
    return [Math.floor(low / step + 1e-9) * step, Math.ceil(high / step - 1e-9) * step];
  }

  function valueTicks(low, high) {
    return Array.from({ length: Math.round((high - low) / step) + 1 }, (_, place) => low + step * place);
  }

  function dayTicks(low, high) {
    const days = [];
    for (let day = Math.max(Math.ceil(low), 0); day <= Math.min(high, last); day += 1) days.push(day);
    const months = days.filter((day) => dateOf(day).getUTCDate() === 1);
    const byDays = [1, 2, 7, 14].map((apart) => days.filter((day) => {
      const since = apart < 7 ? day - days[0] : firstMs / DAY_MS + day - 4; // the fifth of January 1970 was a Monday
      return since % apart === 0;
    }));
    const byMonths = [1, 2, 3, 6, 12, 24, 60, 120].map((apart) => months.filter((day) => {
      const date = dateOf(day);
      return (date.getUTCFullYear() * 12 + date.getUTCMonth()) % apart === 0;
    }));
    return [...byDays, ...byMonths].find((ticks) => ticks.length <= TICKS_MAX) ?? [];
  }

  function dateOf(day) {
    return new Date(firstMs + day * DAY_MS);
  }

  function dayLabel(day, ticks) {
    const date = dateOf(day);
    const month = MONTHS[date.getUTCMonth()];
    if (ticks.length < 2 || ticks.some((one) => dateOf(one).getUTCDate() !== 1)) return `${date.getUTCDate()} ${month}`;
    return date.getUTCMonth() ? month : `${month} ${date.getUTCFullYear()}`;
  }

  // ---- drawing

  function alone(u, place) {
    const values = u.data[place];
    const isNone = (day) => values[day] === null || values[day] === undefined;
    return values.flatMap((value, day) => (!isNone(day) && isNone(day - 1) && isNone(day + 1) ? [day] : []));
  }

  function drawGaps(u, fill) {
    u.ctx.globalAlpha = 0.5;
    u.ctx.fillStyle = fill;
    for (const day of missing) column(u, day, u.bbox.top, u.bbox.height, "fill");
    u.ctx.globalAlpha = 1;
  }

  function column(u, day, top, height, how) {
    const left = Math.round(Math.max(u.valToPos(day - 0.5, "x", true), u.bbox.left));
    const right = Math.round(Math.min(u.valToPos(day + 0.5, "x", true), u.bbox.left + u.bbox.width));
    if (right > left) u.ctx[`${how}Rect`](left, top, right - left, height);
  }

  function drawWords(u, colour, font) {
    const ratio = devicePixelRatio;
    u.ctx.save();
    u.ctx.font = font.replace("12px", `${12 * ratio}px`);
    drawTicks(u, colour, ratio);
    drawEnds(u, colour, ratio);
    drawStrip(u, colour, ratio);
    u.ctx.restore();
  }

  function write(u, text, x, y, align, fill, halo) {
    u.ctx.textAlign = align;
    u.ctx.strokeStyle = halo;
    u.ctx.lineJoin = "round";
    u.ctx.lineWidth = 3 * devicePixelRatio;
    u.ctx.strokeText(text, x, y);
    u.ctx.fillStyle = fill;
    u.ctx.fillText(text, x, y);
  }

  function drawTicks(u, colour, ratio) {
    const { min, max } = u.scales.y;
    const ticks = valueTicks(min, max);
    const places = Math.max(...ticks.map((value) => decimals(value)));
    u.ctx.textBaseline = "alphabetic";
    for (const value of ticks) {
      const text = value.toFixed(places).replace("-", "−");
      write(u, text, u.bbox.left, u.valToPos(value, "y", true) - 3 * ratio, "left", colour("muted"), colour("paper"));
    }
    const days = dayTicks(u.scales.x.min, u.scales.x.max);
    for (const day of days) {
      const x = u.valToPos(day, "x", true);
      const share = (x - u.bbox.left) / u.bbox.width;
      const align = share < 0.06 ? "left" : share > 0.94 ? "right" : "center";
      write(u, dayLabel(day, days), x, u.ctx.canvas.height * 0.99 - 2 * ratio, align, colour("muted"), colour("paper"));
    }
    for (const day of data.revised) {
      const x = u.valToPos(day, "x", true);
      if (x >= u.bbox.left && x <= u.bbox.left + u.bbox.width) {
        write(u, "▼", x, u.bbox.top - 2 * ratio, "center", colour("ink"), colour("paper"));
      }
    }
  }

  function decimals(value) {
    const text = String(Number(value.toPrecision(12)));
    return text.includes(".") ? text.length - text.indexOf(".") - 1 : 0;
  }

  function drawEnds(u, colour, ratio) {
    const { min, max } = u.scales.x;
    const isWide = innerWidth > 960; // as in chart.css
    const ends = lines.flatMap(([field, name], place) => {
      let day = Math.floor(Math.min(max, last));
      while (day >= min && columns[place][day] === null) day -= 1;
      if (day < min) return [];
      const text = isWide ? `${name} ${data[field][day]}` : name;
      return [{ text, fill: colour(["accent", "mix", "entry"][place]), y: u.valToPos(columns[place][day], "y", true) }];
    });
    const places = spread(ends.map((end) => end.y), LABEL_APART * u.bbox.height);
    u.ctx.textBaseline = "middle";
    ends.forEach((end, place) => {
      const x = u.bbox.left + u.bbox.width + 6 * ratio;
      write(u, end.text, x, places[place], "left", end.fill, colour("paper"));
    });
  }

  function drawStrip(u, colour, ratio) {
    const height = u.ctx.canvas.height * STRIP_HEIGHT;
    const top = u.ctx.canvas.height * STRIP;
    u.ctx.lineWidth = 1.5 * ratio;
    data.quality.forEach((quality, day) => {
      if (quality === "good") {
        u.ctx.fillStyle = colour("muted");
        column(u, day, top + height * 0.7, height * 0.3, "fill");
      } else if (quality === "degraded") {
        u.ctx.fillStyle = colour("mix");
        u.ctx.globalAlpha = 0.6;
        column(u, day, top, height, "fill");
        u.ctx.globalAlpha = 1;
      } else if (quality === "estimated") {
        u.ctx.strokeStyle = colour("mix");
        column(u, day, top + height * 0.1, height * 0.8, "stroke");
      } else if (quality !== null) {
        cross(u, day, top + height * 0.2, height * 0.6, colour("ink"));
      }
    });
  }

  function cross(u, day, top, height, stroke) {
    const left = u.valToPos(day - 0.3, "x", true), right = u.valToPos(day + 0.3, "x", true);
    if (left < u.bbox.left || right > u.bbox.left + u.bbox.width) return;
    u.ctx.strokeStyle = stroke;
    u.ctx.beginPath();
    u.ctx.moveTo(left, top);
    u.ctx.lineTo(right, top + height);
    u.ctx.moveTo(right, top);
    u.ctx.lineTo(left, top + height);
    u.ctx.stroke();
  }

  // ---- reading out

  function readOut(day) {
    if (day === null || day === undefined) return;
    cursor = day;
    if (readout.textContent !== data.told[day]) readout.textContent = data.told[day];
  }

  function leave() {
    chart?.setCursor({ left: -10, top: -10 });
    readout.textContent = usual;
  }

  function moveTo(day) {
    const { min, max } = chart.scales.x;
    if (day < min || day > max) {
      const by = day < min ? day - min - 0.5 : day - max + 0.5;
      show(min + by, max + by);
    }
    readOut(day);
    chart.setCursor({ left: chart.valToPos(day, "x"), top: chart.over.clientHeight / 2 });
  }

  function monthFrom(day, by) {
    const date = dateOf(day);
    const month = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + by, 1);
    const days = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + by + 1, 0)).getUTCDate();
    return (month - firstMs) / DAY_MS + Math.min(date.getUTCDate(), days) - 1;
  }

  function zoom(factor) {
    const { min, max } = chart.scales.x;
    const middle = cursor ?? (min + max) / 2;
    const half = Math.max((max - min) * factor / 2, 3.5);
    const low = Math.max(Math.min(middle - half, last + 0.5 - 2 * half), -0.5);
    show(low, Math.min(low + 2 * half, last + 0.5));
  }

  function show(min, max) {
    chart.batch(() => chart.setScale("x", { min, max })); // at once: what follows asks where a day stands now
  }

  function onKey(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const day = cursor ?? last;
    const moves = {
      ArrowLeft: () => day - 1,
      ArrowRight: () => day + 1,
      PageUp: () => monthFrom(day, -1),
      PageDown: () => monthFrom(day, 1),
      Home: () => 0,
      End: () => last,
    };
    const zooms = { "+": 0.5, "=": 0.5, "-": 2, Escape: Infinity };
    if (event.key in moves) moveTo(Math.min(Math.max(moves[event.key](), 0), last));
    else if (event.key in zooms) {
      zoom(Math.min(zooms[event.key], last + 1));
      moveTo(day);
    } else return;
    event.preventDefault();
  }
}

function pixels(digits) {
  return digits === null ? null : Number(digits);
}

// Places as near to those wanted as they can be when each is `apart` from the next.
function spread(wanted, apart) {
  const groups = [];
  for (const place of wanted.map((_, one) => one).sort((one, other) => wanted[one] - wanted[other])) {
    groups.push({ members: [place], centre: wanted[place] });
    while (groups.length > 1) {
      const [before, after] = groups.slice(-2);
      if (after.centre - before.centre >= (apart * (after.members.length + before.members.length)) / 2) break;
      const members = [...before.members, ...after.members];
      const centre = members.reduce((sum, one) => sum + wanted[one], 0) / members.length;
      groups.splice(-2, 2, { members, centre });
    }
  }
  const found = [...wanted];
  for (const { members, centre } of groups) {
    members.forEach((place, order) => { found[place] = centre + apart * (order - (members.length - 1) / 2); });
  }
  return found;
}

function faint(colour) {
  return /^#[0-9a-f]{6}$/i.test(colour) ? `${colour}1f` : "transparent";
}
