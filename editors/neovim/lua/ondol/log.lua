--- What happened lately, for :Ondol log, and the sentences that the user must see, each of them once.
local M = {}

local limit = 300
local entries = {}
local told = {}

---@param format string
function M.add(format, ...)
  local message = select('#', ...) > 0 and format:format(...) or format
  for _, line in ipairs(vim.split(message, '\n', { plain = true, trimempty = true })) do
    entries[#entries + 1] = os.date('%H:%M:%S ') .. line
  end
  while #entries > limit do
    table.remove(entries, 1)
  end
end

---@return string[]
function M.lines()
  return vim.deepcopy(entries)
end

--- Neovim's own messages stop everything with "Press ENTER" once they need more than one line, and swallow the next
--- key. So where no plugin has taken messages over, one line is what a message gets; all of it stands in :Ondol log.
local function fit(said)
  local source = debug.getinfo(vim.notify, 'S').source -- a file for what a plugin has put there
  if source:find('^@') and not source:find('^@vim/') then
    return said
  end
  vim.cmd('redraw')
  local space, remark = vim.v.echospace, ' … (:Ondol log)'
  if vim.fn.strdisplaywidth(said) <= space then
    return said
  end
  return vim.fn.strcharpart(said, 0, math.max(0, space - vim.fn.strdisplaywidth(remark))) .. remark
end

--- Shows a message. May be called from anywhere.
---@param message string
---@param level integer|nil
function M.tell(message, level)
  M.add('%s', message)
  vim.schedule(function()
    local said = message:find('^Ondol') and message or 'Ondol: ' .. message
    vim.notify(fit((said:gsub('%s+', ' '))), level or vim.log.levels.INFO, { title = 'Ondol' })
  end)
end

--- Shows a message unless one of the same kind was shown already.
---@param kind string
---@param message string
function M.tell_once(kind, message)
  if told[kind] then
    M.add('%s', message)
    return
  end
  told[kind] = true
  M.tell(message, vim.log.levels.WARN)
end

--- Lets messages be shown again: the user asked for a new start.
function M.forget()
  told = {}
end

return M
