//! Pictures are small, the same each time, and say what they show.

use super::*;

/// Numbers between -1 and 1 that look like chance and are the same each time.
fn waves(count: u32) -> Vec<f64> {
    (0..count).map(|at| f64::from(at * 7919 % 2003) / 1001.5 - 1.0).collect()
}

fn track(count: u32) -> TrackPicture {
    let returns: Vec<f64> = waves(count).iter().map(|wave| 0.001 + 0.02 * wave).collect();
    let benchmark = Some(returns.iter().map(|of| of / 2.0).collect());
    TrackPicture { title: "Equity".to_owned(), returns, benchmark }
}

fn tail(count: u32) -> TailPicture {
    let losses = waves(count).iter().map(|wave| 0.02 * wave).collect();
    let title = "Losses".to_owned();
    TailPicture { title, losses, value_at_risk: 0.0181, expected_shortfall: 0.0193 }
}

fn frontier(assets: usize) -> FrontierPicture {
    let spot = |at: usize| Spot {
        name: format!("ASSET{at}"),
        volatility: 0.3 + 0.01 * at as f64,
        expected: 0.1 + 0.013 * at as f64,
    };
    FrontierPicture {
        title: "Portfolios".to_owned(),
        frontier: (0..50).map(spot).collect(),
        assets: (0..assets).map(spot).collect(),
        best_sharpe: Some(20),
    }
}

#[test]
fn the_largest_pictures_are_small_and_the_same_each_time() {
    for draw in [|| track(20_000).svg(), || tail(10_000).svg(), || frontier(100).svg()] {
        let svg = draw().unwrap();
        assert!(
            svg.len() < SVG_BYTES_MAX && svg.starts_with("<svg width=\"800\""),
            "{}",
            svg.len()
        );
        assert_eq!(draw().unwrap(), svg);
    }
}

#[test]
fn a_picture_has_title_axes_units_and_legend() {
    for (svg, texts) in [
        (track(50).svg(), ["Equity", "Growth of 1", "Drawdown", "Periods", "Benchmark", "0 %"]),
        (
            tail(50).svg(),
            ["Losses", "Loss per period", "Beyond VaR", "VaR 1.81 %", "ES 1.93 %", "Periods"],
        ),
        (
            frontier(3).svg(),
            [
                "Portfolios",
                "Volatility per year",
                "Expected return per year",
                "Least volatility",
                "Largest Sharpe ratio",
                "ASSET2",
            ],
        ),
    ] {
        let svg = svg.unwrap();
        for text in texts {
            assert!(svg.contains(text), "{text}: {svg}");
        }
    }
}

#[test]
fn texts_are_escaped_and_nothing_leads_outside() {
    let evil = "<script>alert(1)</script>&\"']]>\u{1b}[2J\u{0}";
    let mut picture = frontier(2);
    evil.clone_into(&mut picture.title);
    evil.clone_into(&mut picture.assets[1].name);
    let svg = picture.svg().unwrap();
    assert!(!svg.contains("<script") && !svg.contains('\u{1b}') && !svg.contains('\u{0}'), "{svg}");
    assert!(svg.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;"), "{svg}");
    let links = svg.matches("http").count() + svg.matches("href").count();
    assert_eq!(links, 1, "only the name of the namespace");
}

#[test]
fn what_has_no_width_is_drawn_and_what_has_no_axis_is_refused() {
    for losses in [vec![0.01; 5], vec![0.0; 5], vec![1e-300; 5], vec![-1e-12, 1e-12]] {
        let (value_at_risk, title) = (losses[0], String::new());
        let picture =
            TailPicture { title, losses, value_at_risk, expected_shortfall: value_at_risk };
        assert!(picture.svg().is_ok(), "{picture:?}");
    }
    for losses in
        [vec![1e300, -1e300], vec![f64::NAN; 3], vec![f64::INFINITY, 0.0], vec![1e10, 0.0]]
    {
        let picture = TailPicture { losses, ..tail(0) };
        let picture = TailPicture { value_at_risk: picture.losses[0], ..picture };
        let why = picture.svg().unwrap_err().to_string();
        assert_eq!(why, "they are too large for an axis");
    }
    for returns in [vec![0.0; 3], vec![-0.999_999; 40], vec![1e-15, -1e-15]] {
        let picture = TrackPicture { title: String::new(), returns, benchmark: None };
        assert!(picture.svg().is_ok(), "{picture:?}");
    }
    let picture = TrackPicture { title: String::new(), returns: vec![1e300; 3], benchmark: None };
    assert!(picture.svg().is_err());
}

#[test]
fn a_thinned_line_keeps_its_ends_its_highest_and_its_lowest() {
    let mut values = waves(20_000);
    values[7_777] = 9.0;
    values[12_345] = -9.0;
    let points = thinned(&values);
    assert!(points.len() <= POINTS_MAX + 1, "{}", points.len());
    for place in [0, 7_777, 12_345, 19_999] {
        assert!(points.contains(&(place as f64, values[place])), "{place}");
    }
    assert!(points.windows(2).all(|pair| pair[0].0 <= pair[1].0));
}

#[test]
fn labels_have_the_digits_that_tell_them_apart() {
    assert_eq!(percent(0.1, &(0.0..0.5)), "10 %");
    assert_eq!(percent(0.0125, &(0.0..0.05)), "1.2 %");
    assert_eq!(percent(-0.000_01, &(0.0..0.5)), "0 %");
    assert_eq!(percent(0.000_12, &(0.0..0.001)), "0.01 %");
}

#[test]
fn the_address_of_a_picture_follows_from_its_content() {
    let of = |count| plot("Equity", track(count).svg()).unwrap();
    assert_eq!(of(10), of(10));
    assert_ne!(of(10).uri, of(11).uri);
    let picture = of(10);
    assert_eq!(picture.bytes, picture.svg.unwrap().len());
    let failure = plot("x", Err("why".into())).unwrap_err();
    assert_eq!(failure.reason(), Some("NO_PICTURE"));
}
