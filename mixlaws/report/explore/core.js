"use strict";
/* The laws, intervals and limits of an experiment, evaluated from the data in the page.
   Every function repeats a function of the Python package, which the comments name. */
const MixlawsCore = (() => {
  const SMALLEST_SHARE = 1e-9; // laws/joint/forms.py
  const PRIOR_FOLDS = 6; // scoring/distance_errors.py: of the pooled shape, at three distances
  const LENGTH = 1.2, NOISE_SHARE = 0.02, FREE_LEVEL = 100; // scoring/difference_variance.py
  const SAME = 1e-9;

  /** Return the numbers of a packed array: "d:" (64 bits) or "f:" (32 bits), then base64. */
  function unpack(text) {
    const bytes = Uint8Array.from(atob(text.slice(2)), (c) => c.charCodeAt(0));
    const numbers = text[0] === "d" ? new Float64Array(bytes.buffer) : new Float32Array(bytes.buffer);
    return Float64Array.from(numbers);
  }

  function unpackLaw(record) {
    const parameters = {};
    for (const [name, text] of Object.entries(record.parameters)) parameters[name] = unpack(text);
    return { ...record, parameters };
  }

  /* Laws: (law, i, r, point) -> loss of validation domain i, nats. */

  function dot(values, start, r) {
    let sum = 0;
    for (let j = 0; j < r.length; j++) sum += values[start + j] * r[j];
    return sum;
  }

  function additiveSum(C, g, i, r) {
    const start = i * r.length;
    let sum = 0;
    for (let j = 0; j < r.length; j++) sum += C[start + j] * Math.pow(Math.max(r[j], 0), g[start + j]);
    return sum;
  }

  const MIXING = {
    additive: (p, i, r) => p.E[i] + 1 / additiveSum(p.C, p.g, i, r),
    "additive-power": (p, i, r) => p.E[i] + Math.pow(additiveSum(p.C, p.g, i, r), -p.p[i]),
    "additive-terms": (p, i, r) => {
      let loss = p.E[i];
      for (let q = 1; `C_${q}` in p; q++) loss += 1 / additiveSum(p[`C_${q}`], p[`g_${q}`], i, r);
      return loss;
    },
    exponential: (p, i, r) => p.c[i] + p.k[i] * Math.exp(dot(p.t, i * r.length, r)),
    implicit: (p, i, r) => {
      let loss = p.c[i];
      for (let q = 1; `k_${q}` in p; q++) {
        loss += p[`k_${q}`][i] * Math.exp(dot(p[`t_${q}`], i * r.length, r));
      }
      return loss;
    },
    M1: (p, i, r) => {
      let loss = p.c[i];
      for (let j = 0, at = i * r.length; j < r.length; j++, at++) {
        loss += p.k[at] * Math.exp(p.t[at] * r[j]);
      }
      return loss;
    },
    M2: (p, i, r) => {
      let sum = 0;
      for (let j = 0; j < r.length; j++) sum += Math.exp(p.t[i * r.length + j] * r[j]);
      return p.c[i] + p.k[i] * sum;
    },
    M3: (p, i, r) => {
      const product = r.reduce((all, share) => all * share * r.length, 1);
      return p.c[i] + p.k[i] * Math.exp(p.T[i] * product);
    },
    "sqrt-linear": (p, i, r) => {
      let loss = p.a[i];
      for (let j = 0; j < r.length; j++) loss += p.b[i * r.length + j] * Math.sqrt(Math.max(r[j], 0));
      return loss;
    },
  };

  /** Return M(r) of a joint law (laws/joint/forms.py). */
  function mixtureTerm(p, form, i, r) {
    const start = i * r.length;
    let sum = 0;
    if (form === "additive") {
      for (let j = 0; j < r.length; j++) {
        if (r[j] <= 0) continue;
        const log = Math.log(Math.max(r[j], SMALLEST_SHARE));
        sum += Math.exp(p.m[start + j] + Math.exp(p.ln_g[start + j]) * log);
      }
      return 1 / sum;
    }
    for (let j = 0; j < r.length; j++) sum += p.t[start + j] * (form === "sqrt" ? Math.sqrt(r[j]) : r[j]);
    return Math.exp(sum);
  }

  /** Return a joint law's loss at a point of size and tokens (laws/joint/law.py). */
  function jointLoss(law, i, r, point) {
    const p = law.parameters, terms = law.terms;
    const size = Math.log(point.compute_params / p.reference_params[i]);
    const tokens = law.schedule ? point.effective_tokens : point.tokens;
    const logTokens = Math.log(tokens / p.reference_tokens[i]);
    const u = terms.slopes ? dot(p.u, i * r.length, r) : p.u[i];
    const v = terms.slopes ? dot(p.v, i * r.length, r) : p.v[i];
    const d = p.d ? p.d[i] : 0;
    const sizeTerm = Math.exp(u - Math.exp(p.ln_a[i]) * size);
    const tokenTerm = Math.exp(v - d * size - Math.exp(p.ln_b[i]) * logTokens);
    const coupled = Math.pow(sizeTerm + tokenTerm, p.ln_k ? Math.exp(p.ln_k[i]) : 1);
    const annealed = p.ln_C ? Math.exp(p.ln_C[i]) * point.annealing : 0;
    return p.c[i] - annealed + mixtureTerm(p, terms.mixture, i, r) + coupled;
  }

  function lossOf(law, i, r, point) {
    return law.terms ? jointLoss(law, i, r, point) : MIXING[law.name](law.parameters, i, r);
  }

  /** Append the overall loss: the weighted sum over validation domains of positive weight. */
  function withOverall(losses, weights) {
    let sum = 0;
    weights.forEach((weight, i) => { if (weight > 0) sum += weight * losses[i]; });
    return [...losses, sum];
  }

  /** Return the mean losses of several laws, overall last. */
  function predict(laws, r, point, weights) {
    const losses = weights.map((_, i) => {
      let sum = 0;
      for (const law of laws) sum += lossOf(law, i, r, point);
      return sum / laws.length;
    });
    return withOverall(losses, weights);
  }

  /* Intervals: scoring/difference_variance.py, level_variance.py and distance_errors.py. */

  function distanceOf(r, s) {
    let square = 0;
    for (let j = 0; j < r.length; j++) square += (Math.sqrt(r[j]) - Math.sqrt(s[j])) ** 2;
    return Math.sqrt(square);
  }

  function correlate(distance) {
    const scaled = (Math.sqrt(3) * distance) / LENGTH;
    return (1 + scaled) * Math.exp(-scaled);
  }

  /** Return the inverse of a symmetric positive matrix (rows), by Cholesky's factors. */
  function invert(matrix) {
    const n = matrix.length, L = matrix.map(() => new Float64Array(n));
    for (let i = 0; i < n; i++) {
      for (let j = 0; j <= i; j++) {
        let sum = matrix[i][j];
        for (let k = 0; k < j; k++) sum -= L[i][k] * L[j][k];
        L[i][j] = i === j ? Math.sqrt(sum) : sum / L[j][j];
      }
    }
    const inverse = matrix.map(() => new Float64Array(n)); // of L, lower triangle
    for (let j = 0; j < n; j++) {
      for (let i = j; i < n; i++) {
        let sum = i === j ? 1 : 0;
        for (let k = j; k < i; k++) sum -= L[i][k] * inverse[k][j];
        inverse[i][j] = sum / L[i][i];
      }
    }
    return matrix.map((_, i) => Float64Array.from({ length: n }, (_, j) => {
      let sum = 0;
      for (let k = Math.max(i, j); k < n; k++) sum += inverse[k][i] * inverse[k][j];
      return sum;
    }));
  }

  /** Return ln Gamma(x) for x > 0: Stirling's series, after steps up to where it is exact. */
  function logGamma(x) {
    let shift = 0;
    for (; x < 12; x++) shift += Math.log(x);
    const y = 1 / (x * x);
    const series = (1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y / 1188)))) / x;
    return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series - shift;
  }

  /** Return the regularized incomplete beta function I_x(a, b), by its continued fraction. */
  function incompleteBeta(x, a, b) {
    if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
    const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
    let c = 1, d = 1 / (1 - ((a + b) * x) / (a + 1)), value = d;
    for (let m = 1; m < 300; m++) {
      const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
      d = 1 / (1 + even * d); c = 1 + even / c; value *= c * d;
      const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
      d = 1 / (1 + odd * d); c = 1 + odd / c; value *= c * d;
      if (Math.abs(c * d - 1) < 1e-15) break;
    }
    return front * value;
  }

  /** Return the upper end of the central interval of Student's t, by bisection. */
  function studentQuantile(level, degrees) {
    let low = 0, high = 2;
    const outside = (t) => incompleteBeta(degrees / (degrees + t * t), degrees / 2, 0.5);
    while (outside(high) > 1 - level) high *= 2;
    for (let step = 0; step < 100; step++) {
      const middle = (low + high) / 2;
      if (outside(middle) > 1 - level) low = middle; else high = middle;
    }
    return (low + high) / 2;
  }

  function quadratic(matrix, vector) {
    let sum = 0;
    for (let i = 0; i < vector.length; i++) {
      let row = 0;
      for (let j = 0; j < vector.length; j++) row += matrix[i][j] * vector[j];
      sum += vector[i] * row;
    }
    return sum;
  }

  /** The half-widths of losses and of differences, at any target. */
  class Intervals {
    constructor(record, home) {
      this.record = record;
      this.home = this.distance(home);
      const n = record.num_trained, shares = unpack(record.trained), K = shares.length / n;
      this.quantile = studentQuantile(record.level, n - 1);
      this.trained = Array.from({ length: n }, (_, m) => Array.from(shares.subarray(m * K, (m + 1) * K)));
      const S = this.trained.map((r, i) => this.trained.map((s, j) =>
        (1 - NOISE_SHARE) * correlate(distanceOf(r, s)) + (i === j ? NOISE_SHARE : 0) + FREE_LEVEL));
      this.precision = invert(S);
      this.own = this.mean(this.trained.map((r) => this.conditional(r)));
      this.between = this.freeBetween();
    }

    mean(values) { return values.reduce((a, b) => a + b, 0) / values.length; }

    /** Return how far a target is from what was fitted, [x, y]. */
    distance(target) {
      const { num_params, tokens, token_unit } = this.record.reach;
      const x = Math.max(0, Math.log(target.num_params / num_params));
      const y = Math.max(0, Math.log(target.tokens / tokens));
      return [x, y > 0 ? y / token_unit : 0];
    }

    shape([a, b, c], [x, y]) { return a + b * x * x + c * y * y; }

    /** Return what an interval multiplies the standard deviation of a loss by at a distance. */
    levelQuantile(column, [x, y]) {
      const { levels, level } = this.record, [a, b, c] = levels[column];
      const known = levels.num_folds + PRIOR_FOLDS - 1;
      const pooled = (levels.measured[0] ? 0 : b * x * x) + (levels.measured[1] ? 0 : c * y * y);
      const share = pooled / Math.max(this.shape([a, b, c], [x, y]), 1e-300);
      return studentQuantile(level, 1 / ((1 - share) / known + share / (1 + levels.num_swarms)));
    }

    kernel(r) { return this.trained.map((s) => correlate(distanceOf(r, s))); }

    conditional(r) {
      const k = this.kernel(r).map((value) => (1 - NOISE_SHARE) * value + FREE_LEVEL);
      return 1 - NOISE_SHARE + FREE_LEVEL - quadratic(this.precision, k);
    }

    conditionalDifference(r, s, apart) {
      const other = this.kernel(s), q = this.kernel(r).map((value, i) => value - other[i]);
      const known = quadratic(this.precision, q);
      return 2 * (1 - NOISE_SHARE) * apart - (1 - NOISE_SHARE) ** 2 * known;
    }

    /* The mean over pairs of trained mixtures. With S_ii = 1 + FREE_LEVEL, what is free between
       i and j reduces to 2 rho - rho^2 (W_ii + W_jj - 2 W_ij). */
    freeBetween() {
      const W = this.precision, n = W.length, rho = NOISE_SHARE;
      let free = 0, apart = 0;
      for (let i = 0; i < n; i++) {
        for (let j = i + 1; j < n; j++) {
          free += 2 * rho - rho * rho * (W[i][i] + W[j][j] - 2 * W[i][j]);
          apart += 1 - correlate(distanceOf(this.trained[i], this.trained[j]));
        }
      }
      return free / apart;
    }

    column(i) { return i === this.record.kappa.length - 1 ? "overall" : "domains"; }

    /** Return by how much the forward part of differences is larger than at the home target. */
    growth(i, target) {
      const shape = this.record.growth[this.column(i)];
      const home = this.shape(shape, this.home);
      return home > 0 ? this.shape(shape, this.distance(target)) / home : 1;
    }

    /** Return the variance that is noise of two runs for certain; it does not grow. */
    noise(i, target) {
      const { forward, kappa } = this.record, certain = 2 * NOISE_SHARE * kappa[i];
      return forward ? Math.min(forward.noise[i] * this.growth(i, target), certain) : certain;
    }

    /** Return half the intervals of the expected losses of a mixture, overall last. */
    ofLosses(r, target) {
      const { levels, kappa } = this.record;
      const novelty = Math.max(this.conditional(r) - this.own, 0), at = this.distance(target);
      const quantiles = {};
      for (const column of ["domains", "overall"]) quantiles[column] = this.levelQuantile(column, at);
      return kappa.map((variance, i) => {
        const level = levels.scale[i] ** 2 * this.shape(levels[this.column(i)], at);
        const total = level + novelty * variance - this.noise(i, target) / 2;
        return quantiles[this.column(i)] * Math.sqrt(Math.max(total, 0));
      });
    }

    /** Return half the intervals of the expected difference of two mixtures, overall last. */
    ofDifferences(r, s, target) {
      const { forward, kappa } = this.record;
      const apart = 1 - correlate(distanceOf(r, s));
      const counted = forward ? this.between * apart : 0;
      const free = Math.max(this.conditionalDifference(r, s, apart) - counted, 0);
      return kappa.map((variance, i) => {
        const smooth = forward ? apart * forward.smooth[i] * this.growth(i, target) : 0;
        return this.quantile * Math.sqrt(free * variance + smooth);
      });
    }
  }

  /* Replicates: decision/bootstrap.py (draws) and decision/intervals.py (_central). */

  /** Return the laws of every replicate, each law of an ensemble as a draw of its own. */
  function unpackReplicates(record, shape) {
    const draws = [];
    for (const each of record.laws.map(unpackLaw)) {
      for (let b = 0; b < record.count; b++) {
        const parameters = {};
        for (const [name, values] of Object.entries(each.parameters)) {
          const size = values.length / record.count;
          parameters[name] = values.subarray(b * size, (b + 1) * size);
        }
        draws.push({ ...each, parameters });
      }
    }
    return draws;
  }

  /** Return a quantile of sorted values, linear between them as numpy's. */
  function quantile(sorted, part) {
    const place = part * (sorted.length - 1), low = Math.floor(place);
    const high = Math.min(low + 1, sorted.length - 1);
    return sorted[low] + (sorted[high] - sorted[low]) * (place - low);
  }

  /** Return [lower, upper] of draws; the central interval holds the value. */
  function central(draws, value, tail) {
    const sorted = Float64Array.from(draws).sort();
    return [Math.min(quantile(sorted, tail), value), Math.max(quantile(sorted, 1 - tail), value)];
  }

  /* Shares. */

  const sum = (values) => values.reduce((a, b) => a + b, 0);

  /** Return shares of a total, in the ratios of `shares`, within limits; the total is feasible. */
  function share(shares, total, lower, upper) {
    const base = sum(shares) > SAME ? shares : upper.map((high) => (high > 0 ? 1 : 0));
    const at = (factor) => base.map((value, j) => Math.min(Math.max(value * factor, lower[j]), upper[j]));
    let low = 0, high = 1;
    while (sum(at(high)) < total && high < 1e12) high *= 2;
    for (let step = 0; step < 200; step++) {
      const middle = (low + high) / 2;
      if (sum(at(middle)) < total) low = middle; else high = middle;
    }
    const result = at(high);
    // Shares of exactly zero cannot grow by a factor: what is missing goes where there is room.
    for (let j = 0; j < result.length; j++) {
      const rest = total - sum(result);
      result[j] = Math.min(Math.max(result[j] + rest, lower[j]), upper[j]);
    }
    return result;
  }

  /** Return the mixture with one share moved to a value and the others rescaled, within limits. */
  function moveShare(shares, index, value, limits) {
    const others = shares.map((_, j) => j).filter((j) => j !== index);
    const pick = (values) => others.map((j) => values[j]);
    const lower = pick(limits.lower), upper = pick(limits.upper);
    const least = Math.max(limits.lower[index], 1 - sum(upper));
    const most = Math.min(limits.upper[index], 1 - sum(lower));
    const own = Math.min(Math.max(value, least), most);
    const rest = share(pick(shares), 1 - own, lower, upper);
    const moved = shares.slice();
    moved[index] = own;
    others.forEach((j, place) => { moved[j] = rest[place]; });
    return withinGroups(moved, limits);
  }

  /** Return the mixture, moved towards the optimum until the sums of all groups are allowed. */
  function withinGroups(shares, limits) {
    let part = 1;
    for (const group of limits.groups) {
      const here = sum(group.members.map((j) => shares[j]));
      const inside = sum(group.members.map((j) => limits.inside[j]));
      if (here > group.upper) part = Math.min(part, (group.upper - inside) / (here - inside));
      if (here < group.lower) part = Math.min(part, (inside - group.lower) / (inside - here));
    }
    if (part === 1) return shares;
    const kept = Math.max(part, 0);
    return shares.map((value, j) => limits.inside[j] + kept * (value - limits.inside[j]));
  }

  /** Return whether a mixture meets every limit. */
  function allowed(shares, limits) {
    const slack = 1e-6;
    return shares.every((value, j) => value >= limits.lower[j] - slack && value <= limits.upper[j] + slack)
      && limits.groups.every((group) => {
        const total = sum(group.members.map((j) => shares[j]));
        return total >= group.lower - slack && total <= group.upper + slack;
      });
  }

  /** Return shares rounded to 1e-6 that sum to exactly 1 in these units; the largest takes the rest. */
  function roundShares(shares) {
    const units = shares.map((value) => Math.round(value * 1e6));
    units[shares.indexOf(Math.max(...shares))] += 1e6 - sum(units);
    return units.map((count) => count / 1e6);
  }

  /** Return compute_params at a size: straight between the known sizes, in logarithms. */
  function computeParams(numParams, table) {
    const [x, y] = [table.num_params.map(Math.log), table.compute_params.map(Math.log)];
    const log = Math.log(numParams);
    if (x.length === 1) return Math.exp(y[0] + log - x[0]);
    let i = x.findIndex((value) => value >= log);
    i = i < 0 ? x.length - 1 : Math.max(i, 1);
    const part = (log - x[i - 1]) / (x[i] - x[i - 1]);
    return Math.exp(y[i - 1] + part * (y[i] - y[i - 1]));
  }

  /** The explorer's data, ready to evaluate. */
  class Model {
    constructor(data) {
      this.data = data;
      this.home = data.target;
      this.laws = data.laws.map(unpackLaw);
      this.grid = data.grid && data.grid.laws.map((row) => row.map((cell) => cell && cell.map(unpackLaw)));
      this.intervals = new Intervals(data.uncertainty, data.target);
      this.draws = data.replicates ? unpackReplicates(data.replicates) : [];
    }

    /** Return the target of a size and a number of tokens; the experiment's own is kept as it is. */
    targetAt(numParams, tokens) {
      const home = this.home, near = (a, b) => Math.abs(a / b - 1) < 1e-12;
      return {
        num_params: numParams,
        tokens,
        compute_params: near(numParams, home.num_params)
          ? home.compute_params : computeParams(numParams, this.data.compute),
        effective_tokens: near(tokens, home.tokens)
          ? home.effective_tokens : tokens * (home.effective_tokens / home.tokens),
        annealing: home.annealing,
      };
    }

    isHome(target) {
      return target.num_params === this.home.num_params && target.tokens === this.home.tokens;
    }

    /** Return the laws at a target: those of the grid where the form holds at one target only. */
    lawsAt(target) {
      if (!this.grid || this.isHome(target)) return this.laws;
      const row = this.data.grid.num_params.indexOf(target.num_params);
      const column = this.data.grid.tokens.indexOf(target.tokens);
      return this.grid[row][column];
    }

    /** Return the losses at a target, overall last. */
    predict(shares, target) { return predict(this.lawsAt(target), shares, target, this.data.weights); }

    /** Return one loss at a target: of a validation domain by place, or overall (the last place). */
    lossAt(place, shares, target) {
      const laws = this.lawsAt(target), weights = this.data.weights;
      const mean = (i) => laws.reduce((sum, law) => sum + lossOf(law, i, shares, target), 0) / laws.length;
      if (place < weights.length) return mean(place);
      return weights.reduce((sum, weight, i) => (weight > 0 ? sum + weight * mean(i) : sum), 0);
    }

    /** Return the losses of every draw, overall last; none where the refits do not reach. */
    predictDraws(shares, target) {
      if (this.grid && !this.isHome(target)) return [];
      return this.draws.map((law) => predict([law], shares, target, this.data.weights));
    }

    /** Return [lower, upper] of each loss over the refits, or null without them. */
    refits(shares, target) {
      const draws = this.predictDraws(shares, target), value = this.predict(shares, target);
      if (!draws.length) return null;
      return value.map((each, i) => central(draws.map((draw) => draw[i]), each, this.data.replicates.tail));
    }
  }

  return { Model, studentQuantile, allowed, computeParams, moveShare, predict, roundShares, unpack, unpackLaw };
})();
