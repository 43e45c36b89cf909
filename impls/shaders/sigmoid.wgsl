// sigmoid(z) = 1 / (1 + exp(-z)), without overflow.

fn sigmoid(z: T) -> T {
    let e = exponential(-abs(z));  // at most 1
    return select(e, T(1), z >= T(0)) / (T(1) + e);
}
