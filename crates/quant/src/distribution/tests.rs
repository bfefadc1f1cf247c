use statrs::distribution::*;
#[test]
fn probe() {
    let n = Normal::standard();
    for p in [1e-10, 1e-4, 0.01, 0.05, 0.3, 0.99] { println!("N {p} {:?} {:?} {:?}", n.inverse_cdf(p), n.cdf(n.inverse_cdf(p)), n.pdf(1.3)); }
    for nu in [1.5, 2.1, 3.0, 4.5, 10.0, 200.0, 1000.0] { let t = StudentsT::new(0.0, 1.0, nu).unwrap();
      for p in [1e-6, 1e-3, 0.01, 0.05, 0.3] { let q = t.inverse_cdf(p); println!("T {nu} {p} {:?} {:?}", q, t.cdf(-3.3)); } }
    for x in [0.01,0.5,3.84,20.0] { println!("C {x} {:?} {:?}", ChiSquared::new(1.0).unwrap().sf(x), ChiSquared::new(2.0).unwrap().sf(x)); }
    println!("B {:?} {:?}", Binomial::new(0.01, 250).unwrap().cdf(4), Binomial::new(0.01, 250).unwrap().sf(9));
}
