//! What wall 1 promises: `bundle` breaks a bundle in each way there is, `decisions` asks the finished table, and the
//! committed one about its roles.

mod bundle;
mod decisions;

use super::*;

const CREATE: &str = "p, helpline_operator, none, call, create, -, allow";
const READ: &str = "p, squad_officer, assigned, legal, read, case_work, allow";

type Tested = Result<(), PolicyError>;
