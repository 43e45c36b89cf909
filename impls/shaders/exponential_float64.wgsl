// exp(x) for x <= 0 in float64, which WGSL's own exp does not take: exp(x) = 2^k exp(r) with |r| <= ln(2) / 2, and the series of exp(r).

const LN_2_HIGH: f64 = 0.693147180369123816490lf;  // its last bits are 0, so k times it is exact
const LN_2_LOW: f64 = 1.90821492927058770002e-10lf;

fn exponential(x: f64) -> f64 {
    let bounded = select(x, -708.0lf, x < -708.0lf);  // below, the result would be denormal; NaN stays
    let k = floor(bounded * 1.44269504088896338700lf + 0.5lf);
    let r = (bounded - k * LN_2_HIGH) - k * LN_2_LOW;
    var sum = 1.0lf;
    for (var n = 14u; n > 0u; n--) {  // the next term is below 1e-17
        sum = fma(sum, r / f64(n), 1.0lf);
    }
    return sum * power_of_two(u32(-k));
}

// Return 2^-n, exactly.
fn power_of_two(n: u32) -> f64 {
    var power = 1.0lf;
    var factor = 0.5lf;
    for (var bits = n; bits > 0u; bits >>= 1u) {
        if ((bits & 1u) == 1u) { power *= factor; }
        factor *= factor;
    }
    return power;
}
