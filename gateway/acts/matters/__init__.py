"""What subjects file with departments: objections and applications for restoration, their clocks, and who decides."""
