//! Pages and consoles of the real program, judged by curl, a browser and a terminal (UI1, UI2, UI3,
//! CL1, AP6).

mod backup;
mod browser;
mod console;
mod gateway;
mod https;
