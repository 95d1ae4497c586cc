//! Forgetting a step does not compile.

#[test]
fn the_misuses_do_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/compile_fail/*.rs");
}
