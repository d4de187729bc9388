use super::*;

const FAMILY: Family = measured("x_bytes", "bytes", "What it is.");

fn written(format: Format, fill: impl FnOnce(&mut Writer)) -> String {
    let mut out = Writer::new(format, 0);
    fill(&mut out);
    String::from_utf8(out.finish()).unwrap()
}

#[test]
fn the_two_forms_differ_in_their_heads() {
    let all = |out: &mut Writer| {
        out.family("p_", FAMILY, |put| put.put(&[], &[], Some(1.5)));
        let polls = counter("polls", "Polls.");
        out.family("p_", polls, |put| put.put(&[("a", "b")], &[], Some(2.0)));
        out.family("p_", info("about", "About."), |put| {
            put.put(&[("a", "")], &[("b", "c")], Some(1.0));
        });
    };
    let text = "# HELP p_x_bytes What it is.\n# TYPE p_x_bytes gauge\np_x_bytes 1.5\n\
                # HELP p_polls_total Polls.\n# TYPE p_polls_total counter\n\
                p_polls_total{a=\"b\"} 2\n\
                # HELP p_about_info About.\n# TYPE p_about_info gauge\n\
                p_about_info{b=\"c\"} 1\n";
    assert_eq!(written(Format::Text, all), text);
    let open = "# HELP p_x_bytes What it is.\n# TYPE p_x_bytes gauge\n# UNIT p_x_bytes bytes\n\
                p_x_bytes 1.5\n\
                # HELP p_polls Polls.\n# TYPE p_polls counter\np_polls_total{a=\"b\"} 2\n\
                # HELP p_about About.\n# TYPE p_about info\np_about_info{b=\"c\"} 1\n# EOF\n";
    assert_eq!(written(Format::OpenMetrics, all), open);
}

#[test]
fn a_gap_is_left_out_and_a_family_without_samples_with_it() {
    let gaps = |out: &mut Writer| {
        out.family("p_", FAMILY, |put| put.put(&[], &[], None));
        out.family("p_", FAMILY, |_| {});
    };
    assert_eq!(written(Format::Text, gaps), "");
    assert_eq!(written(Format::OpenMetrics, gaps), "# EOF\n");
}

#[test]
fn labels_and_numbers_are_written_so_that_nothing_breaks_out() {
    let cases = [
        ("a\"} 1\nb{c=\"", r#"a\"} 1\nb{c=\""#),
        (r"\n", r"\\n"),
        ("<img src=x>", "<img src=x>"),
        ("é\r\u{2028}", "é\r\u{2028}"),
    ];
    for (value, wanted) in cases {
        let text = written(Format::Text, |out| {
            out.family("", FAMILY, |put| put.put(&[("l", value)], &[], Some(0.0)));
        });
        let line = format!("x_bytes{{l=\"{wanted}\"}} 0");
        assert_eq!(text.split('\n').nth(2), Some(&*line), "{value:?}");
    }
    for (value, wanted) in [
        (1e15, "1000000000000000"),
        (0.0123, "0.0123"),
        (-3.0, "-3"),
        (1_795_341_600.0, "1795341600"),
    ] {
        let text = written(Format::Text, |out| {
            out.family("", FAMILY, |put| put.put(&[], &[], Some(value)));
        });
        assert!(text.ends_with(&format!("x_bytes {wanted}\n")), "{text}");
    }
}

#[test]
fn of_several_states_one_is_1() {
    let text = written(Format::Text, |out| {
        out.family("", gauge("s", "S."), |put| {
            put.state(&[("c", "d")], &["ok", "bad"], "bad");
        });
    });
    let lines = "s{c=\"d\",state=\"ok\"} 0\ns{c=\"d\",state=\"bad\"} 1\n";
    assert!(text.ends_with(lines), "{text}");
}
